/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For cppcheck only, which is not shown the libraries' headers: their loops. */
#define json_array_foreach(array, index, value) \
        for ((index) = 0; ((value) = json_array_get(array, index)); (index)++)
#define json_object_foreach(object, key, value) \
        for (void *i_ = json_object_iter(object); next_member(&i_, &(key), &(value));)
#define json_object_foreach_safe(object, n, key, value) json_object_foreach(object, key, value)
#define DL_FOREACH(head, el) for ((el) = (head); (el); (el) = (el)->next)
#define DL_FOREACH_SAFE(head, el, tmp) \
        for ((el) = (head); (el) && ((tmp) = (el)->next, 1); (el) = (tmp))
#define Test(suite, name, ...) void suite##_##name(void)
#define ParameterizedTest(parameter, suite, name, ...) void suite##_##name(parameter)
#define TestSuite(...)
#define DL_FOREACH(head, el) for ((el) = (head); (el); (el) = (el)->next)
#define DL_FOREACH_SAFE(head, el, tmp) \
        for ((el) = (head); (el) && ((tmp) = (el)->next, 1); (el) = (tmp))
#define DL_COUNT(head, el, n) for ((n) = 0, (el) = (head); (el); (el) = (el)->next, (n)++)
#define DL_APPEND(head, el) append(&(head), el)
#define DL_DELETE(head, el) delete(&(head), el)
