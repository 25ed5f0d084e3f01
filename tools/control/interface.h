/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.nsmount.varlink as text, built in: what GetInterfaceDescription gives. */
#ifndef NSM_CONTROL_INTERFACE_H
#define NSM_CONTROL_INTERFACE_H

extern const char nsm_control_interface_text[];

#endif
