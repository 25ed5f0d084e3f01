/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/control/interface.h"

const char nsm_control_interface_text[] =
#include "io.nsmount.varlink.inc"
        ;
