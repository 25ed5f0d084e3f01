/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/control/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/base/cleanup.h"

/* Bytes that the buffer grows by at least. */
#define INPUT_STEP ((size_t)4096)

static int grow(struct nsm_input *input, size_t more)
{
        size_t need = input->used + more, size = input->size;
        char *data;

        if (need <= size)
                return 0;
        size = size * 2 > need ? size * 2 : need;
        size = size > INPUT_STEP ? size : INPUT_STEP;
        data = realloc(input->data, size);
        if (!data)
                return -ENOMEM;
        input->data = data;
        input->size = size;
        return 0;
}

/* Offset of the last message of which at least one byte is there. */
static size_t last_begin(const struct nsm_input *input)
{
        const char *nul;

        if (input->used < 2)
                return 0;
        nul = memrchr(input->data, '\0', input->used - 1);
        return nul ? (size_t)(nul - input->data) + 1 : 0;
}

static void close_all(const int *fds, size_t n)
{
        for (size_t i = 0; i < n; i++)
                nsm_close_fd(fds[i]);
}

int nsm_input_feed(struct nsm_input *input, const char *bytes, size_t n, const int *fds,
                   size_t n_fds)
{
        size_t at;
        int r = grow(input, n);

        if (r == 0 && input->n_fds + n_fds > NSM_INPUT_FDS_MAX)
                r = -E2BIG;
        if (r < 0) {
                close_all(fds, n_fds);
                return r;
        }
        if (n > 0)
                memcpy(input->data + input->used, bytes, n);
        input->used += n;
        at = last_begin(input);
        for (size_t i = 0; i < n_fds; i++)
                input->fds[input->n_fds++] = (struct nsm_input_fd){ .fd = fds[i], .at = at };
        return 0;
}

/* Forgets the first @size bytes, which made up one message. */
static void drop_bytes(struct nsm_input *input, size_t size)
{
        input->used -= size;
        memmove(input->data, input->data + size, input->used);
        for (size_t i = 0; i < input->n_fds; i++)
                input->fds[i].at -= size;
}

/* Moves the descriptors of the first message, which is @size bytes long, to @message. */
static int take_fds(struct nsm_input *input, size_t size, struct nsm_message *message)
{
        size_t n = 0;

        while (n < input->n_fds && input->fds[n].at < size)
                n++;
        if (n > NSM_MESSAGE_FDS_MAX)
                return -E2BIG;
        for (size_t i = 0; i < n; i++)
                message->fds[i] = input->fds[i].fd;
        message->n_fds = n;
        input->n_fds -= n;
        memmove(input->fds, input->fds + n, input->n_fds * sizeof input->fds[0]);
        return 0;
}

int nsm_input_next(struct nsm_input *input, struct nsm_message *ret, struct nsm_error *err)
{
        cleanup_message struct nsm_message message = { 0 };
        const char *end = input->used ? memchr(input->data, '\0', input->used) : NULL;
        size_t size = end ? (size_t)(end - input->data) + 1 : input->used;
        json_error_t why;
        int r;

        if (size > input->limit || (!end && size == input->limit))
                return nsm_error_set(err, -EMSGSIZE, "a message is longer than %zu bytes",
                                     input->limit);
        if (!end)
                return 0;
        r = take_fds(input, size, &message);
        if (r < 0)
                return nsm_error_set(err, r, "more than %d descriptors came with a message",
                                     NSM_MESSAGE_FDS_MAX);
        message.json = json_loadb(input->data, size - 1, JSON_REJECT_DUPLICATES, &why);
        if (!message.json)
                return nsm_error_set(err, -EBADMSG, "a message is no JSON: %s", why.text);
        if (!json_is_object(message.json))
                return nsm_error_set(err, -EBADMSG, "a message is no JSON object");
        drop_bytes(input, size);
        *ret = message;
        message = (struct nsm_message){ 0 };
        return 1;
}

bool nsm_input_is_empty(const struct nsm_input *input)
{
        return input->used == 0;
}

void nsm_input_clear(struct nsm_input *input)
{
        for (size_t i = 0; i < input->n_fds; i++)
                nsm_close_fd(input->fds[i].fd);
        free(input->data);
        *input = (struct nsm_input){ .limit = input->limit };
}

void nsm_message_clear(struct nsm_message *message)
{
        json_decref(message->json);
        close_all(message->fds, message->n_fds);
        *message = (struct nsm_message){ 0 };
}

int nsm_message_encode(const json_t *json, size_t limit, char **ret, size_t *ret_size)
{
        char *text = json_dumps(json, JSON_COMPACT);
        size_t size;

        if (!text)
                return -ENOMEM;
        size = strlen(text) + 1;
        if (size > limit) {
                free(text);
                return -EMSGSIZE;
        }
        *ret = text;
        *ret_size = size;
        return 0;
}
