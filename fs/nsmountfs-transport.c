/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs/nsmountfs-transport.h"

#include <errno.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fs/nsmountfs-near.h"
#include "fs/ops/wire.h"

/* Asked for where the kernel offers it. */
#define INIT_WANTED (NSM_WIRE_CREATE_SUPP_GROUP | NSM_WIRE_ALLOW_IDMAP)

static ssize_t read_request(int fd, void *buf, size_t size, void *userdata)
{
        struct nsm_transport *t = ((struct nsm_fs *)userdata)->transport;
        ssize_t n = read(fd, buf, size);

        if (n > 0 && !t->init_unique)
                nsm_wire_is_init(buf, (size_t)n, &t->init_unique, &t->init_offered);
        return n;
}

/* Sends libfuse's answer to INIT with more flags. */
static ssize_t write_init_reply(struct nsm_transport *t, int fd, const struct iovec *iov)
{
        struct fuse_init_out body;
        struct iovec changed[2] = { iov[0], { .iov_base = &body, .iov_len = iov[1].iov_len } };

        memcpy(&body, iov[1].iov_base, iov[1].iov_len);
        atomic_store(&t->flags, nsm_wire_extend_init(&body, iov[1].iov_len,
                                                     t->init_offered & INIT_WANTED));
        return writev(fd, changed, 2);
}

static ssize_t write_reply(int fd, struct iovec *iov, int count, void *userdata)
{
        struct nsm_fs *fs = userdata;
        struct nsm_transport *t = fs->transport;
        const struct fuse_out_header *header = iov[0].iov_base;

        if (!header->unique || header->unique != t->init_unique || header->error) {
                nsm_near_give_way();
                ssize_t n = writev(fd, iov, count);
                nsm_near_go_on();
                return n;
        }
        ssize_t n = count == 2 && iov[1].iov_len <= sizeof(struct fuse_init_out)
                            ? write_init_reply(t, fd, iov) : writev(fd, iov, count);
        /* Not before: until then the kernel does not know that the view can be id-mapped. */
        if (n >= 0 && fs->on_ready)
                fs->on_ready(fs->on_ready_arg);
        return n;
}

int nsm_transport_open(struct nsm_transport *ret, struct nsm_fs *fs, int fuse_fd,
                       struct nsm_error *err)
{
        const struct fuse_custom_io io = { .read = read_request, .writev = write_reply };
        struct fuse_lowlevel_ops ops;
        char *argv[] = { (char *)"nsmountfs", NULL };
        struct fuse_args args = FUSE_ARGS_INIT(1, argv);

        int r = -pthread_key_create(&fs->extras_key, NULL);
        if (r < 0)
                return nsm_error_set(err, r, "the session needs a key of its threads");
        *ret = (struct nsm_transport){ .fs = fs };
        fs->transport = ret;
        nsm_ops_fill(&ops, &fs->policy);
        ret->fuse = fuse_session_new(&args, &ops, sizeof ops, fs);
        r = ret->fuse ? fuse_session_custom_io(ret->fuse, &io, sizeof io, fuse_fd) : -EIO;
        if (r < 0) {
                nsm_transport_close(ret);
                return nsm_error_set(err, r, r == -ENOTSUP
                                     ? "libfuse was built without custom io (enable-custom-io)"
                                     : "libfuse refuses the session");
        }
        return 0;
}

void nsm_transport_close(struct nsm_transport *transport)
{
        if (transport->fuse)
                fuse_session_destroy(transport->fuse);
        transport->fuse = NULL;
        pthread_key_delete(transport->fs->extras_key);
}

int nsm_transport_receive(struct nsm_transport *transport, struct fuse_buf *buf)
{
        return fuse_session_receive_buf(transport->fuse, buf);
}

/* Answers what libfuse before 3.18 does not know. False: it is something else. */
static bool answer_unknown(struct nsm_transport *t, const struct fuse_buf *buf)
{
#if !NSM_HAVE_FUSE_STATX
        char reply[NSM_WIRE_STATX_SIZE];
        struct nsm_wire_statx request;
        struct statx stx;

        if (nsm_wire_is_statx(buf->mem, buf->size, &request)) {
                struct fuse_file_info fi = { .fh = request.handle };
                int r = nsm_op_show_statx(t->fs->view, request.node,
                                          request.by_handle ? &fi : NULL, &stx);
                double timeout = nsm_attr_timeout(t->fs, request.node);
                size_t size = nsm_wire_put_statx(&request, r, &stx, timeout, reply);
                /* It fails when the caller was killed, or the view is gone: nobody waits. */
                (void)!write(fuse_session_fd(t->fuse), reply, size);
                return true;
        }
#endif
        return false;
}

void nsm_transport_process(struct nsm_transport *transport, const struct fuse_buf *buf)
{
        if (answer_unknown(transport, buf))
                return;
        struct nsm_wire_extras extras = nsm_wire_read_extras(buf->mem, buf->size,
                                                             atomic_load(&transport->flags));

        if (!extras.opens)
                nsm_thread_settle(transport->fs->view);
        pthread_setspecific(transport->fs->extras_key, &extras);
        fuse_session_process_buf(transport->fuse, buf);
        pthread_setspecific(transport->fs->extras_key, NULL);
}
