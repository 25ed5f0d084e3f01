/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Attach and detach as the tenant sees them. */
#include "tests/integration/graft-kit.h"

Test(graft, becomes_the_root)
{
        KIT_REQUIRE();
        cleanup_world struct nsm_world *w = nsm_world_new();
        struct nsm_fake_tenant *t = nsm_world_add_empty_tenant(w, "acme");
        struct nsm_fake_container *c = nsm_tenant_add_container(t, NULL);
        struct kit_view view = kit_view_new_root(t);
        const char *out = kit_must(w, kit_attach(c, view, NULL));

        cr_assert(strstr(out, "path /\n"), "%s", out);
        cr_assert(strstr(out, "left out /sys: the container has no network namespace"), "%s", out);
        cr_assert_str_eq(nsm_container_must(c, "id -u; cat /etc/hostname"), "0\nacme\n");
}
