/* Looking through a node for one step, or through an inode for one digit, without making anything of the rest. */
#include "core.h"
#include "blake3.h"
#include "msgpack.h"
#include "record.h"
#include "seek.h"

int seek_in_node(const uint8_t *data, Py_ssize_t size, Py_ssize_t hash_size, Py_ssize_t leaf, const char *step,
                 Py_ssize_t length, Sought *found) {
    Reader r = {data, data + size};
    if (size < 2 || data[0] != 'N' || data[1] != 0x93) return 0;
    r.at += 2;
    int64_t n = read_array(&r), position = -1;
    if (n < 0 || n > leaf) return 0;
    const uint8_t *own, *kinds, *hashes;
    for (int64_t i = 0; i < n; i++) {
        int64_t own_length = read_str(&r, &own);
        if (own_length < 0 || !is_utf8(own, (size_t)own_length)) return 0;
        if (own_length == length && position < 0 && !memcmp(own, step, (size_t)length)) position = i;
    }
    if (read_bin(&r, &kinds) != n || read_bin(&r, &hashes) != n * hash_size || r.at != r.end) return 0;
    if (position >= 0 && kinds[position] > 2) return 0;
    found->entries = found->columns = n;
    found->position = position;
    found->below = 0;
    found->kind = position < 0 ? 0 : kinds[position];
    found->hash = position < 0 ? hashes : hashes + position * hash_size;
    return 1;
}

int seek_in_inode(const uint8_t *data, Py_ssize_t size, Py_ssize_t hash_size, Py_ssize_t fanout, Py_ssize_t leaf,
                  Py_ssize_t depth, Py_ssize_t digit, Sought *found) {
    Reader r = {data, data + size};
    if (size < 2 || data[0] != 'I' || data[1] != 0x96) return 0;
    r.at += 2;
    if (read_count(&r) != fanout || read_count(&r) != leaf || read_count(&r) != depth) return 0;
    const uint8_t *buckets, *hashes;
    int64_t k = read_bin(&r, &buckets), total = 0;
    if (k < 1 || k > fanout || read_array(&r) != k) return 0;
    found->position = -1;
    found->below = 0;
    for (int64_t i = 0; i < k; i++) {
        int64_t count = read_count(&r);
        if (count < 1 || count > INT64_MAX - total) return 0;
        total += count;
        if (buckets[i] == digit && found->position < 0) {
            found->position = i;
            found->below = count;
        }
    }
    if (total <= leaf || read_bin(&r, &hashes) != k * hash_size || r.at != r.end) return 0;
    found->entries = total;
    found->columns = k;
    found->kind = 0;
    found->hash = found->position < 0 ? hashes : hashes + found->position * hash_size;
    return 1;
}

static PyObject *hash_of(const Sought *found, Py_ssize_t hash_size) {
    return PyBytes_FromStringAndSize((const char *)found->hash, found->position < 0 ? 0 : hash_size);
}

FUNCTION(seek_node) {
    if (nargs != 4 || !PyBytes_CheckExact(args[0])) return REFER(seek_node);
    Py_ssize_t hash_size = hash_size_of(args[1]), leaf = size_of(args[2]), length;
    const char *step = utf8(args[3], &length);
    Sought found;
    if (hash_size < 0 || leaf < 0 || !step ||
        !seek_in_node((const uint8_t *)PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]), hash_size, leaf, step,
                      length, &found))
        return REFER(seek_node);
    PyObject *items[] = {
        PyLong_FromLongLong(found.entries),
        PyLong_FromLongLong(found.position),
        PyLong_FromLong(found.kind),
        hash_of(&found, hash_size),
    };
    return tuple_of(4, items);
}

FUNCTION(seek_inode) {
    if (nargs != 6 || !PyBytes_CheckExact(args[0])) return REFER(seek_inode);
    Py_ssize_t hash_size = hash_size_of(args[1]), fanout = size_of(args[2]), leaf = size_of(args[3]);
    Py_ssize_t depth = size_of(args[4]), digit = size_of(args[5]);
    Sought found;
    if (hash_size < 0 || fanout < 0 || fanout > 256 || leaf < 0 || depth < 0 || digit < 0 || digit > 255 ||
        !seek_in_inode((const uint8_t *)PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]), hash_size, fanout, leaf,
                       depth, digit, &found))
        return REFER(seek_inode);
    PyObject *items[] = {
        PyLong_FromLongLong(found.entries), PyLong_FromLongLong(found.columns), PyLong_FromLongLong(found.position),
        PyLong_FromLongLong(found.below),   hash_of(&found, hash_size),
    };
    return tuple_of(5, items);
}

/* -- decoded nodes ------------------------------------------------------------------------------------------------------ */

FUNCTION(place) {
    /* record, recent, step, width */
    Py_ssize_t width, length, position = -2;
    const char *step;
    if (nargs != 4 || (width = size_of(args[3])) < 1 || width > 8 || !(step = utf8(args[2], &length)))
        return REFER(place);
    uint8_t key[BLAKE3_SIZE];
    int hashed = 0;
    PyObject *record = Py_NewRef(args[0]);
    while (is_inode(record)) {
        PyObject *buckets = field(record, 1), *counts = field(record, 2), *hashes = field(record, 3);
        Py_ssize_t depth = size_of(field(record, 0)), k = PyBytes_GET_SIZE(buckets);
        if (depth < 0 || (depth + 1) > 8 * HASH / width || !PyBytes_GET_SIZE(field(record, 4)) ||
            PyList_GET_SIZE(counts) != k || PyBytes_GET_SIZE(hashes) != k * HASH)
            goto done;
        if (!hashed) blake3_digest((const uint8_t *)step, (size_t)length, key);
        hashed = 1;
        const char *first = PyBytes_AS_STRING(buckets);
        const char *found = memchr(first, (int)digit_of(key, depth, (int)width), (size_t)k);
        if (!found) {
            position = -1;
            goto done;
        }
        Py_ssize_t count = size_of(PyList_GET_ITEM(counts, found - first));
        PyObject *hash = PyBytes_FromStringAndSize(PyBytes_AS_STRING(hashes) + (found - first) * HASH, HASH);
        PyObject *child = hash ? PyObject_CallOneArg(args[1], hash) : NULL;
        Py_XDECREF(hash);
        if (!child) {
            Py_DECREF(record);
            return NULL;
        }
        if (count < 0 || !fits(child, depth, count)) {
            Py_DECREF(child);
            goto done;
        }
        Py_SETREF(record, child);
    }
    if (is_node(record)) {
        PyObject *found = PyDict_GetItemWithError(field(record, 0), args[2]);
        if (!found && PyErr_Occurred()) {
            Py_DECREF(record);
            return NULL;
        }
        position = found ? size_of(found) : -1;
    }
done:;
    PyObject *items[] = {record, PyLong_FromSsize_t(position)};
    return tuple_of(2, items);
}

PyMethodDef seek_methods[] = {
    METHOD(place, "Where a step stands below a decoded node, as far as nodes are at hand."),
    METHOD(seek_node, "Where a step stands in a node, and what it leads to."),
    METHOD(seek_inode, "The bucket of a digit in an inode."),
    {NULL, NULL, 0, NULL},
};
