/* Looking through a node for one step, or through an inode for one digit, without making anything of the rest. */
#include "core.h"
#include "msgpack.h"

static PyObject *put(PyObject *tuple, Py_ssize_t i, PyObject *item) {
    if (!tuple || !item) {
        Py_XDECREF(tuple);
        Py_XDECREF(item);
        return NULL;
    }
    PyTuple_SET_ITEM(tuple, i, item);
    return tuple;
}

FUNCTION(seek_node) {
    if (nargs != 4 || !PyBytes_CheckExact(args[0]) || !PyUnicode_CheckExact(args[3])) return REFER(seek_node);
    Py_ssize_t hash_size = hash_size_of(args[1]), leaf = size_of(args[2]), length;
    Reader r = {(const uint8_t *)PyBytes_AS_STRING(args[0]), NULL};
    r.end = r.at + PyBytes_GET_SIZE(args[0]);
    if (hash_size < 0 || leaf < 0 || left(&r) < 2 || r.at[0] != 'N' || r.at[1] != 0x93) return REFER(seek_node);
    const char *wanted = PyUnicode_AsUTF8AndSize(args[3], &length);
    if (!wanted) {
        PyErr_Clear();
        return REFER(seek_node);
    }
    r.at += 2;
    int64_t n = read_array(&r), found = -1;
    if (n < 0 || n > leaf) return REFER(seek_node);
    const uint8_t *step, *kinds, *hashes;
    for (int64_t i = 0; i < n; i++) {
        int64_t size = read_str(&r, &step);
        if (size < 0 || !is_utf8(step, (size_t)size)) return REFER(seek_node);
        if (size == length && found < 0 && !memcmp(step, wanted, (size_t)size)) found = i;
    }
    if (read_bin(&r, &kinds) != n || read_bin(&r, &hashes) != n * hash_size || r.at != r.end) return REFER(seek_node);
    if (found >= 0 && kinds[found] > 2) return REFER(seek_node);
    PyObject *result = PyTuple_New(4);
    result = put(result, 0, PyLong_FromLongLong(n));
    result = put(result, 1, PyLong_FromLongLong(found));
    result = put(result, 2, PyLong_FromLong(found < 0 ? 0 : kinds[found]));
    return put(result, 3, PyBytes_FromStringAndSize((const char *)(found < 0 ? hashes : hashes + found * hash_size),
                                                    found < 0 ? 0 : hash_size));
}

FUNCTION(seek_inode) {
    if (nargs != 6 || !PyBytes_CheckExact(args[0])) return REFER(seek_inode);
    Py_ssize_t hash_size = hash_size_of(args[1]), fanout = size_of(args[2]), leaf = size_of(args[3]);
    Py_ssize_t depth = size_of(args[4]), digit = size_of(args[5]);
    Reader r = {(const uint8_t *)PyBytes_AS_STRING(args[0]), NULL};
    r.end = r.at + PyBytes_GET_SIZE(args[0]);
    if (hash_size < 0 || fanout < 0 || fanout > 256 || leaf < 0 || depth < 0 || digit < 0 || digit > 255 ||
        left(&r) < 2 || r.at[0] != 'I' || r.at[1] != 0x96)
        return REFER(seek_inode);
    r.at += 2;
    if (read_count(&r) != fanout || read_count(&r) != leaf || read_count(&r) != depth) return REFER(seek_inode);
    const uint8_t *buckets, *hashes;
    int64_t k = read_bin(&r, &buckets), total = 0, below = 0, found = -1;
    if (k < 1 || k > fanout || read_array(&r) != k) return REFER(seek_inode);
    for (int64_t i = 0; i < k; i++) {
        int64_t count = read_count(&r);
        if (count < 1 || count > INT64_MAX - total) return REFER(seek_inode);
        total += count;
        if (buckets[i] == digit && found < 0) found = i, below = count;
    }
    if (total <= leaf || read_bin(&r, &hashes) != k * hash_size || r.at != r.end) return REFER(seek_inode);
    PyObject *result = PyTuple_New(5);
    result = put(result, 0, PyLong_FromLongLong(total));
    result = put(result, 1, PyLong_FromLongLong(k));
    result = put(result, 2, PyLong_FromLongLong(found));
    result = put(result, 3, PyLong_FromLongLong(below));
    return put(result, 4, PyBytes_FromStringAndSize((const char *)(found < 0 ? hashes : hashes + found * hash_size),
                                                    found < 0 ? 0 : hash_size));
}

PyMethodDef seek_methods[] = {
    METHOD(seek_node, "Where a step stands in a node, and what it leads to."),
    METHOD(seek_inode, "The bucket of a digit in an inode."),
    {NULL, NULL, 0, NULL},
};
