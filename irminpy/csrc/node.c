/* Writing nodes and inodes, and taking their columns apart. */
#include "core.h"
#include "msgpack.h"

#define MOST 0x7FFFFFFF /* of anything that is counted: sums of a few of them stay far from overflowing */
#define MAX_STEP 4096

/* -- writing ----------------------------------------------------------------------------------------------------------- */

/* How many bytes the column of the steps takes; 0 if they are not what such a column has. */
static size_t steps_size(PyObject *steps) {
    Py_ssize_t n = PyList_GET_SIZE(steps);
    if (n > MOST) return 0;
    size_t size = array_head((size_t)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_ssize_t length;
        if (!utf8(PyList_GET_ITEM(steps, i), &length) || length > MOST) return 0;
        size += str_head((size_t)length) + (size_t)length;
        if (size > MOST) return 0;
    }
    return size;
}

/* Nothing runs between the measuring and the writing of a list, so that it is what it was. */
static uint8_t *put_steps(uint8_t *p, PyObject *steps) {
    Py_ssize_t n = PyList_GET_SIZE(steps);
    p = put_array(p, (size_t)n);
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_ssize_t length;
        const char *data = utf8(PyList_GET_ITEM(steps, i), &length);
        p = put_str(p, data, (size_t)length);
    }
    return p;
}

FUNCTION(encode_node) {
    if (nargs != 4 || !PyList_CheckExact(args[0]) || !PyBytes_CheckExact(args[1]) || !PyBytes_CheckExact(args[2]) ||
        !PyList_CheckExact(args[3]) || PyList_GET_SIZE(args[3]))
        return REFER(encode_node);
    size_t kinds = (size_t)PyBytes_GET_SIZE(args[1]), hashes = (size_t)PyBytes_GET_SIZE(args[2]);
    size_t steps = kinds > MOST || hashes > MOST ? 0 : steps_size(args[0]);
    if (!steps) return REFER(encode_node);
    size_t size = 2 + steps + bin_head(kinds) + kinds + bin_head(hashes) + hashes;
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!data) return NULL;
    uint8_t *p = (uint8_t *)PyBytes_AS_STRING(data);
    *p++ = 'N';
    p = put_steps(put_array(p, 3), args[0]);
    p = put_bin(p, PyBytes_AS_STRING(args[1]), kinds);
    put_bin(p, PyBytes_AS_STRING(args[2]), hashes);
    return data;
}

FUNCTION(encode_nodes) {
    if (nargs != 4 || !PyList_CheckExact(args[0]) || !PyBytes_CheckExact(args[1]) || !PyList_CheckExact(args[2]) ||
        !PyDict_CheckExact(args[3]) || PyDict_GET_SIZE(args[3]))
        return REFER(encode_nodes);
    PyObject *all = args[0], *kinds = args[1], *hashes = args[2];
    Py_ssize_t nodes = PyList_GET_SIZE(all), total = 0;
    for (Py_ssize_t i = 0; i < nodes; i++) {
        if (!PyList_CheckExact(PyList_GET_ITEM(all, i))) return REFER(encode_nodes);
        total += PyList_GET_SIZE(PyList_GET_ITEM(all, i));
    }
    if (total != PyBytes_GET_SIZE(kinds) || total != PyList_GET_SIZE(hashes) || total > MOST)
        return REFER(encode_nodes);
    for (Py_ssize_t i = 0; i < total; i++)
        if (!PyBytes_CheckExact(PyList_GET_ITEM(hashes, i)) || PyBytes_GET_SIZE(PyList_GET_ITEM(hashes, i)) > 1024)
            return REFER(encode_nodes);
    PyObject *found = PyList_New(nodes);
    if (!found) return NULL;
    Py_ssize_t at = 0;
    for (Py_ssize_t i = 0; i < nodes; i++) {
        PyObject *own = PyList_GET_ITEM(all, i);
        size_t n = (size_t)PyList_GET_SIZE(own), steps = steps_size(own), joined = 0;
        if (!steps) {
            Py_DECREF(found);
            return REFER(encode_nodes);
        }
        for (size_t j = 0; j < n; j++) joined += (size_t)PyBytes_GET_SIZE(PyList_GET_ITEM(hashes, at + (Py_ssize_t)j));
        if (joined > MOST) {
            Py_DECREF(found);
            return REFER(encode_nodes);
        }
        PyObject *data =
            PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(2 + steps + bin_head(n) + n + bin_head(joined) + joined));
        if (!data) {
            Py_DECREF(found);
            return NULL;
        }
        uint8_t *p = (uint8_t *)PyBytes_AS_STRING(data);
        *p++ = 'N';
        p = put_steps(put_array(p, 3), own);
        p = put_bin_head(put_bin(p, PyBytes_AS_STRING(kinds) + at, n), joined);
        for (size_t j = 0; j < n; j++) {
            PyObject *hash = PyList_GET_ITEM(hashes, at++);
            memcpy(p, PyBytes_AS_STRING(hash), (size_t)PyBytes_GET_SIZE(hash));
            p += PyBytes_GET_SIZE(hash);
        }
        PyList_SET_ITEM(found, i, data);
    }
    return found;
}

FUNCTION(encode_inode) {
    if (nargs != 6 || !PyBytes_CheckExact(args[3]) || !PyList_CheckExact(args[4]) || !PyBytes_CheckExact(args[5]))
        return REFER(encode_inode);
    Py_ssize_t fanout = size_of(args[0]), leaf = size_of(args[1]), depth = size_of(args[2]);
    Py_ssize_t n = PyList_GET_SIZE(args[4]);
    size_t buckets = (size_t)PyBytes_GET_SIZE(args[3]), hashes = (size_t)PyBytes_GET_SIZE(args[5]);
    /* A size that is the largest may stand for one that is larger. */
    if (fanout < 0 || leaf < 0 || depth < 0 || fanout > MOST || leaf > MOST || depth > MOST || n > MOST ||
        buckets > MOST || hashes > MOST)
        return REFER(encode_inode);
    size_t size = 2 + count_size((uint64_t)fanout) + count_size((uint64_t)leaf) + count_size((uint64_t)depth) +
                  bin_head(buckets) + buckets + array_head((size_t)n) + bin_head(hashes) + hashes;
    for (Py_ssize_t i = 0; i < n; i++) {
        Py_ssize_t count = size_of(PyList_GET_ITEM(args[4], i));
        if (count < 0 || count == PY_SSIZE_T_MAX) return REFER(encode_inode);
        size += count_size((uint64_t)count);
    }
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!data) return NULL;
    uint8_t *p = (uint8_t *)PyBytes_AS_STRING(data);
    *p++ = 'I';
    p = put_count(put_count(put_count(put_array(p, 6), (uint64_t)fanout), (uint64_t)leaf), (uint64_t)depth);
    p = put_array(put_bin(p, PyBytes_AS_STRING(args[3]), buckets), (size_t)n);
    for (Py_ssize_t i = 0; i < n; i++) p = put_count(p, (uint64_t)size_of(PyList_GET_ITEM(args[4], i)));
    put_bin(p, PyBytes_AS_STRING(args[5]), hashes);
    return data;
}

FUNCTION(patch_column) {
    if (nargs != 3 || !PyBytes_CheckExact(args[0]) || !PyList_CheckExact(args[2])) return REFER(patch_column);
    Py_ssize_t length = PyBytes_GET_SIZE(args[0]), size = hash_size_of(args[1]), n = PyList_GET_SIZE(args[2]);
    if (size < 0 || length < 2) return REFER(patch_column); /* Python has one object for all bytes of that length */
    PyObject *data = PyBytes_FromStringAndSize(PyBytes_AS_STRING(args[0]), length);
    if (!data) return NULL;
    for (Py_ssize_t k = 0; k < n; k++) {
        PyObject *change = PyList_GET_ITEM(args[2], k);
        if (!PyTuple_CheckExact(change) || PyTuple_GET_SIZE(change) != 2) goto odd;
        Py_ssize_t i = size_of(PyTuple_GET_ITEM(change, 0));
        PyObject *item = PyTuple_GET_ITEM(change, 1);
        if (i < 0 || i >= length / size || !PyBytes_CheckExact(item) || PyBytes_GET_SIZE(item) != size) goto odd;
        memcpy(PyBytes_AS_STRING(data) + i * size, PyBytes_AS_STRING(item), (size_t)size);
    }
    return data;
odd:
    Py_DECREF(data);
    return REFER(patch_column);
}

/* -- reading ----------------------------------------------------------------------------------------------------------- */

/* The columns of a flat node without metadata; the steps are read one by one from `steps` on. */
typedef struct {
    Py_ssize_t n;
    Reader steps;
    const uint8_t *kinds, *hashes;
} Columns;

/* Whether `data` is a node of at most `leaf` entries with three columns that fit each other; what the steps are is not
 * looked at beyond their lengths. */
static int columns(PyObject *data, Py_ssize_t hash_size, Py_ssize_t leaf, Columns *found) {
    Reader r = {(const uint8_t *)PyBytes_AS_STRING(data), NULL};
    r.end = r.at + PyBytes_GET_SIZE(data);
    if (left(&r) < 2 || r.at[0] != 'N' || r.at[1] != 0x93) return 0;
    r.at += 2;
    int64_t n = read_array(&r);
    if (n < 0 || n > leaf) return 0;
    const uint8_t *step;
    found->n = (Py_ssize_t)n;
    found->steps = r;
    for (int64_t i = 0; i < n; i++)
        if (read_str(&r, &step) < 0) return 0;
    found->steps.end = r.at;
    if (read_bin(&r, &found->kinds) != n) return 0;
    return read_bin(&r, &found->hashes) == n * hash_size && r.at == r.end;
}

/* A dict from step to position; NULL with no error set where a step is no text, or not the only one of its name. */
static PyObject *index_of(Columns *c) {
    PyObject *index = PyDict_New();
    if (!index) return NULL;
    Reader r = c->steps;
    for (Py_ssize_t i = 0; i < c->n; i++) {
        const uint8_t *data;
        int64_t size = read_str(&r, &data);
        PyObject *step = PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)size, "strict");
        if (!step) {
            Py_DECREF(index);
            if (PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) PyErr_Clear();
            return NULL;
        }
        PyObject *position = PyLong_FromSsize_t(i);
        int failed = !position || PyDict_SetItem(index, step, position) < 0;
        Py_DECREF(step);
        Py_XDECREF(position);
        if (failed) {
            Py_DECREF(index);
            return NULL;
        }
    }
    if (PyDict_GET_SIZE(index) != c->n) {
        Py_DECREF(index);
        return NULL;
    }
    return index;
}

/* Whether all kinds are 0 or 1. */
static int plain_kinds(const Columns *c) {
    for (Py_ssize_t i = 0; i < c->n; i++)
        if (c->kinds[i] > 1) return 0;
    return 1;
}

/* Whether steps are ascending, legal and in their shortest form, as the headers of the other columns are. */
static int canonical_node(PyObject *data, const Columns *c, Py_ssize_t hash_size) {
    const uint8_t *begin = (const uint8_t *)PyBytes_AS_STRING(data), *step, *before = NULL;
    Reader r = c->steps;
    size_t length = 0, n = (size_t)c->n, size = 2 + array_head(n);
    for (size_t i = 0; i < n; i++) {
        size_t longer = (size_t)read_str(&r, &step);
        if (!longer || longer > MAX_STEP || memchr(step, '/', longer) || memchr(step, 0, longer)) return 0;
        if (i) {
            /* The order of UTF-8 bytes is that of code points. */
            int order = memcmp(before, step, length < longer ? length : longer);
            if (order > 0 || (order == 0 && length >= longer)) return 0;
        }
        size += str_head(longer) + longer;
        before = step;
        length = longer;
    }
    /* All headers are as short as can be if all bytes together are. */
    size += bin_head(n) + n + bin_head(n * (size_t)hash_size) + n * (size_t)hash_size;
    return begin + size == begin + PyBytes_GET_SIZE(data);
}

/* Whether no directory among the entries is the empty one. */
static int no_empty(const Columns *c, Py_ssize_t hash_size, const char *empty) {
    for (Py_ssize_t i = 0; i < c->n; i++)
        if (!c->kinds[i] && !memcmp(c->hashes + i * hash_size, empty, (size_t)hash_size)) return 0;
    return 1;
}

static PyObject *bytes_of(const uint8_t *data, int64_t size) {
    return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
}

static int node_arguments(PyObject *const *args, Py_ssize_t nargs, Py_ssize_t *hash_size, Py_ssize_t *leaf) {
    if (nargs != 4 || !PyBytes_CheckExact(args[0]) || !PyBytes_CheckExact(args[3])) return 0;
    *hash_size = hash_size_of(args[1]);
    *leaf = size_of(args[2]);
    return *hash_size > 0 && *leaf >= 0 && PyBytes_GET_SIZE(args[3]) == *hash_size;
}

FUNCTION(load_node) {
    Py_ssize_t hash_size, leaf;
    Columns c;
    if (!node_arguments(args, nargs, &hash_size, &leaf) || !columns(args[0], hash_size, leaf, &c) || !plain_kinds(&c))
        return REFER(load_node);
    PyObject *index = index_of(&c);
    if (!index) return PyErr_Occurred() ? NULL : REFER(load_node);
    Py_ssize_t hashes = c.n * hash_size;
    PyObject *items[] = {
        index,
        bytes_of(c.kinds, c.n),
        bytes_of(c.hashes, hashes),
        Py_NewRef(state_of(module)->nothing),
        bytes_of((const uint8_t *)PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]) - hashes),
    };
    return tuple_of(5, items);
}

FUNCTION(decode_node) {
    Py_ssize_t hash_size, leaf;
    Columns c;
    if (!node_arguments(args, nargs, &hash_size, &leaf) || !columns(args[0], hash_size, leaf, &c) || !plain_kinds(&c) ||
        !canonical_node(args[0], &c, hash_size) || !no_empty(&c, hash_size, PyBytes_AS_STRING(args[3])))
        return REFER(decode_node);
    PyObject *index = index_of(&c);
    if (!index) return PyErr_Occurred() ? NULL : REFER(decode_node);
    PyObject *items[] = {index, bytes_of(c.kinds, c.n), bytes_of(c.hashes, c.n * hash_size), PyDict_New()};
    return tuple_of(4, items);
}

/* The columns of an inode, whose counts are read one by one from `counts` on. */
typedef struct {
    Py_ssize_t k;
    Py_ssize_t depth;
    int64_t total;
    Reader counts;
    const uint8_t *buckets, *hashes;
    int shortest;
} Buckets;

/* Whether `data` is an inode of this schema with columns that fit each other, and counts that an inode has. */
static int buckets_of(PyObject *data, Py_ssize_t hash_size, Py_ssize_t fanout, Py_ssize_t leaf, Buckets *found) {
    Reader r = {(const uint8_t *)PyBytes_AS_STRING(data), NULL};
    r.end = r.at + PyBytes_GET_SIZE(data);
    if (left(&r) < 2 || r.at[0] != 'I' || r.at[1] != 0x96) return 0;
    r.at += 2;
    int64_t depth;
    if (read_count(&r) != fanout || read_count(&r) != leaf || (depth = read_count(&r)) < 0) return 0;
    int64_t k = read_bin(&r, &found->buckets);
    if (k < 1 || k > fanout || read_array(&r) != k) return 0;
    found->counts = r;
    int64_t total = 0;
    size_t size = 0;
    for (int64_t i = 0; i < k; i++) {
        int64_t count = read_count(&r);
        if (count < 1 || count > INT64_MAX - total) return 0;
        total += count;
        size += count_size((uint64_t)count);
    }
    if (total <= leaf || read_bin(&r, &found->hashes) != k * hash_size || r.at != r.end) return 0;
    size += 2 + count_size((uint64_t)fanout) + count_size((uint64_t)leaf) + count_size((uint64_t)depth);
    size += bin_head((size_t)k) + (size_t)k + array_head((size_t)k);
    size += bin_head((size_t)(k * hash_size)) + (size_t)(k * hash_size);
    found->shortest = size == (size_t)PyBytes_GET_SIZE(data);
    found->k = (Py_ssize_t)k;
    found->depth = (Py_ssize_t)depth;
    found->total = total;
    return 1;
}

static PyObject *counts_of(const Buckets *b) {
    PyObject *counts = PyList_New(b->k);
    Reader r = b->counts;
    for (Py_ssize_t i = 0; counts && i < b->k; i++) {
        PyObject *count = PyLong_FromLongLong(read_count(&r));
        if (!count) Py_CLEAR(counts);
        else PyList_SET_ITEM(counts, i, count);
    }
    return counts;
}

static int inode_arguments(
    PyObject *const *args, Py_ssize_t nargs, Py_ssize_t *hash_size, Py_ssize_t *digits, Buckets *found) {
    if (nargs != 6 || !PyBytes_CheckExact(args[0]) || !PyBytes_CheckExact(args[5])) return 0;
    *hash_size = hash_size_of(args[1]);
    *digits = size_of(args[4]);
    Py_ssize_t fanout = size_of(args[2]), leaf = size_of(args[3]);
    return *hash_size > 0 && fanout >= 0 && fanout <= 256 && leaf >= 0 && PyBytes_GET_SIZE(args[5]) == *hash_size &&
           buckets_of(args[0], *hash_size, fanout, leaf, found) && found->depth < *digits;
}

FUNCTION(load_inode) {
    Py_ssize_t hash_size, digits;
    Buckets b;
    if (!inode_arguments(args, nargs, &hash_size, &digits, &b)) return REFER(load_inode);
    Py_ssize_t hashes = b.k * hash_size;
    PyObject *items[] = {
        PyLong_FromSsize_t(b.depth),
        bytes_of(b.buckets, b.k),
        counts_of(&b),
        bytes_of(b.hashes, hashes),
        bytes_of((const uint8_t *)PyBytes_AS_STRING(args[0]), PyBytes_GET_SIZE(args[0]) - hashes),
    };
    return tuple_of(5, items);
}

FUNCTION(decode_inode) {
    Py_ssize_t hash_size, digits;
    Buckets b;
    if (!inode_arguments(args, nargs, &hash_size, &digits, &b) || !b.shortest) return REFER(decode_inode);
    Py_ssize_t fanout = size_of(args[2]), previous = -1;
    for (Py_ssize_t i = 0; i < b.k; i++) {
        if (b.buckets[i] <= previous || b.buckets[i] >= fanout ||
            !memcmp(b.hashes + i * hash_size, PyBytes_AS_STRING(args[5]), (size_t)hash_size))
            return REFER(decode_inode);
        previous = b.buckets[i];
    }
    PyObject *items[] = {
        PyLong_FromSsize_t(b.depth),
        bytes_of(b.buckets, b.k),
        counts_of(&b),
        bytes_of(b.hashes, b.k * hash_size),
    };
    return tuple_of(4, items);
}

FUNCTION(children) {
    if (nargs != 2 || !PyBytes_CheckExact(args[0])) return REFER(children);
    Py_ssize_t hash_size = hash_size_of(args[1]);
    Reader r = {(const uint8_t *)PyBytes_AS_STRING(args[0]), NULL};
    r.end = r.at + PyBytes_GET_SIZE(args[0]);
    if (hash_size < 0 || left(&r) < 3) return REFER(children);
    if (r.at[0] == 'I' && r.at[1] == 0x96) {
        const uint8_t *buckets;
        r.at += 2;
        for (int i = 0; i < 3; i++)
            if (left(&r) < 1 || *r.at == 0xCE || *r.at == 0xCF || read_count(&r) < 0) return REFER(children);
        if (left(&r) < 1 || *r.at == 0xC6) return REFER(children);
        int64_t n = read_bin(&r, &buckets);
        if (n < 1 || n * hash_size > PyBytes_GET_SIZE(args[0])) return REFER(children);
        PyObject *kinds = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
        if (!kinds) return NULL;
        memset(PyBytes_AS_STRING(kinds), 0, (size_t)n);
        PyObject *items[] = {kinds, bytes_of(r.end - n * hash_size, n * hash_size)};
        return tuple_of(2, items);
    }
    if (r.at[0] != 'N' || r.at[1] != 0x93) return REFER(children);
    r.at += 2;
    int64_t n = read_array(&r);
    if (n < 1) return REFER(children);
    int64_t size = n * hash_size, before = size + (int64_t)bin_head((size_t)size) + n;
    if (size > MOST || before > PyBytes_GET_SIZE(args[0])) return REFER(children);
    PyObject *items[] = {bytes_of(r.end - before, n), bytes_of(r.end - size, size)};
    return tuple_of(2, items);
}

PyMethodDef node_methods[] = {
    METHOD(encode_node, "The canonical bytes of a node."),
    METHOD(encode_nodes, "The canonical bytes of many nodes."),
    METHOD(encode_inode, "The canonical bytes of an inode."),
    METHOD(patch_column, "A column with other items."),
    METHOD(load_node, "The columns of a node that was checked when it was stored."),
    METHOD(decode_node, "The columns of a node."),
    METHOD(load_inode, "The columns of an inode that was checked when it was stored."),
    METHOD(decode_inode, "The columns of an inode."),
    METHOD(children, "The kinds and hashes of the children of a node or an inode."),
    {NULL, NULL, 0, NULL},
};
