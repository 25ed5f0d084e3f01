/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/nsmount/command.h"

/* In the order of the help. */
const struct nsm_command *const nsm_commands[] = {
        &nsm_command_tenant_add,
        &nsm_command_tenant_set,
        &nsm_command_tenant_rm,
        &nsm_command_tenant_show,
        &nsm_command_tenant_list,
        &nsm_command_attach,
        &nsm_command_detach,
        &nsm_command_mount,
        &nsm_command_unmount,
        &nsm_command_list,
        &nsm_command_reload,
        NULL,
};
