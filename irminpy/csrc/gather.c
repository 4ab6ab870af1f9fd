/* All that a directory binds, from the frames of its nodes and values in maps (`irminpy/_gather.py`). */
#include "core.h"
#include "frame.h"
#include "msgpack.h"
#include "seek.h"

#define OVERHEAD 64 /* bytes that a value takes besides itself */
#define MOST_BELOW 8

typedef struct {
    State *state;
    Maps maps;
    Py_ssize_t head, fanout, leaf, levels, most, room, used;
    int64_t nodes, values;
    const uint8_t *empty;
    int full; /* a directory could not be taken in with another */
} Gathering;

/* A directory that is being taken in. */
typedef struct {
    PyObject *pairs;
    Py_ssize_t below; /* levels of directories that may be taken in with it */
    int nested;
    Py_ssize_t values; /* of its own */
} Directory;

/* These three give 1 if it was taken in, 0 if Python has to look, -1 with an error. */
static int take(Gathering *g, Directory *d, const uint8_t *hash, uint64_t word, int64_t depth, int64_t count);

/* The value of contents, or NULL, with no error set, if it is not to be given. */
static PyObject *value_at(Gathering *g, const uint8_t *hash, uint64_t word) {
    Frame frame;
    if (g->used >= g->room || !frame_at(&g->maps, word, WORD_CONTENTS, hash, g->head, g->state, &frame) || !frame.size ||
        frame.canonical[0] != 'B' || frame.size - 1 + OVERHEAD > g->room - g->used)
        return NULL;
    PyObject *value = PyBytes_FromStringAndSize((const char *)frame.canonical + 1, frame.size - 1);
    if (value) {
        g->used += frame.size - 1 + OVERHEAD;
        g->values++;
    }
    return value;
}

/* Kind, hash and word; of a directory what it holds, if it is taken in. */
static PyObject *child_at(Gathering *g, Directory *d, int kind, const uint8_t *hash, uint64_t word) {
    PyObject *pairs = NULL;
    int plain = 0;
    if (!kind && !g->full && d->below) {
        Gathering before = *g;
        Directory inner = {PyList_New(0), d->below - 1, 1, 0};
        int taken = inner.pairs ? take(g, &inner, hash, word, 0, -1) : -1;
        if (taken < 0) {
            Py_XDECREF(inner.pairs);
            return NULL;
        }
        if (taken) {
            pairs = inner.pairs;
            plain = inner.values == PyList_GET_SIZE(pairs);
        } else {
            Py_DECREF(inner.pairs);
            g->full = 1;
            g->nodes = before.nodes;
            g->values = before.values;
            g->used = before.used;
            g->most = before.most;
        }
    }
    PyObject *items[] = {
        PyLong_FromLong(kind),
        PyBytes_FromStringAndSize((const char *)hash, HASH),
        PyLong_FromUnsignedLongLong(word),
        pairs,
        pairs ? PyBool_FromLong(plain) : NULL,
    };
    return tuple_of(pairs ? 5 : 3, items);
}

static int put(PyObject *list, PyObject *item) {
    int failed = !item || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 1;
}

static int take_node(Gathering *g, Directory *d, Reader r, const uint8_t *words, Py_ssize_t hints, int64_t count) {
    if (left(&r) < 2 || r.at[0] != 'N' || r.at[1] != 0x93) return 0;
    r.at += 2;
    int64_t n = read_array(&r);
    if (n < 0 || n > g->leaf || n > g->most || n != hints || (count >= 0 && n != count)) return 0;
    const uint8_t *step, *kinds, *hashes, *before = NULL;
    Reader steps = r;
    size_t length = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t longer = read_str(&r, &step);
        if (longer < 0 || !is_utf8(step, (size_t)longer)) return 0;
        if (before) {
            /* Ascending, so that no step is there twice. */
            int order = memcmp(before, step, length < (size_t)longer ? length : (size_t)longer);
            if (order > 0 || (order == 0 && length >= (size_t)longer)) return 0;
        }
        before = step;
        length = (size_t)longer;
    }
    if (read_bin(&r, &kinds) != n || read_bin(&r, &hashes) != n * HASH || r.at != r.end) return 0;
    for (int64_t i = 0; i < n; i++)
        if (kinds[i] > 1) return 0;
    g->most -= (Py_ssize_t)n;
    for (int64_t i = 0; i < n; i++) {
        const uint8_t *hash = hashes + HASH * i;
        uint64_t word = u64(words + 8 * i);
        PyObject *child = kinds[i] ? value_at(g, hash, word) : NULL;
        if (child) {
            d->values++;
        } else if (!PyErr_Occurred()) {
            if (kinds[i] && d->nested) return 0;
            child = child_at(g, d, kinds[i], hash, word);
        }
        int64_t size = read_str(&steps, &step);
        PyObject *items[] = {child ? PyUnicode_DecodeUTF8((const char *)step, (Py_ssize_t)size, "strict") : NULL, child};
        if (put(d->pairs, tuple_of(2, items)) < 0) return -1;
    }
    return 1;
}

static int take_inode(Gathering *g, Directory *d, Reader r, const uint8_t *words, Py_ssize_t hints, int64_t depth,
                      int64_t count) {
    if (left(&r) < 2 || r.at[1] != 0x96) return 0;
    r.at += 2;
    if (read_count(&r) != g->fanout || read_count(&r) != g->leaf || read_count(&r) != depth || depth >= g->levels) return 0;
    const uint8_t *buckets, *hashes;
    int64_t k = read_bin(&r, &buckets), total = 0;
    if (k < 1 || k > g->fanout || k != hints || read_array(&r) != k) return 0;
    Reader counts = r;
    for (int64_t i = 0; i < k; i++) {
        int64_t here = read_count(&r);
        if (here < 1 || here > g->most - total) return 0;
        total += here;
    }
    if (total <= g->leaf || (count >= 0 && total != count) || read_bin(&r, &hashes) != k * HASH || r.at != r.end) return 0;
    for (int64_t i = 0; i < k; i++) {
        int taken = take(g, d, hashes + HASH * i, u64(words + 8 * i), depth + 1, read_count(&counts));
        if (taken <= 0) return taken;
    }
    return 1;
}

static int take(Gathering *g, Directory *d, const uint8_t *hash, uint64_t word, int64_t depth, int64_t count) {
    Frame frame;
    if (!memcmp(hash, g->empty, HASH) || !frame_at(&g->maps, word, WORD_NODE, hash, g->head, g->state, &frame) ||
        !frame.size)
        return 0;
    g->nodes++;
    /* What lies below may be in another map, for which that of this frame is let go. */
    Py_ssize_t hints = 8 * frame.hint_count;
    uint8_t *copy = PyMem_Malloc((size_t)(frame.size + hints));
    if (!copy) return PyErr_NoMemory(), -1;
    memcpy(copy, frame.canonical, (size_t)frame.size);
    memcpy(copy + frame.size, frame.hints, (size_t)hints);
    Reader r = {copy, copy + frame.size};
    const uint8_t *words = copy + frame.size;
    int taken = copy[0] == 'I' ? take_inode(g, d, r, words, frame.hint_count, depth, count)
                               : take_node(g, d, r, words, frame.hint_count, count);
    PyMem_Free(copy);
    return taken;
}

FUNCTION(gather) {
    /* bases, segments, head, fanout, leaf, levels, empty, hash, word, depth, count, most, room, below */
    if (nargs != 14 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[1]) || !PyBytes_CheckExact(args[6]) ||
        !PyBytes_Check(args[7]) || !PyLong_CheckExact(args[8]) || !PyLong_CheckExact(args[10]) ||
        PyBytes_GET_SIZE(args[6]) != HASH || PyBytes_GET_SIZE(args[7]) != HASH)
        return REFER(gather);
    Gathering g = {
        .state = state_of(module),
        .maps = {.bases = args[0], .segments = args[1], .held = -1},
        .head = size_of(args[2]),
        .fanout = size_of(args[3]),
        .leaf = size_of(args[4]),
        .levels = size_of(args[5]),
        .most = size_of(args[11]),
        .room = size_of(args[12]),
        .empty = (const uint8_t *)PyBytes_AS_STRING(args[6]),
    };
    Py_ssize_t depth = size_of(args[9]), below = size_of(args[13]);
    int64_t count = size_of(args[10]); /* -1 for a number below 0 */
    uint64_t word = PyLong_AsUnsignedLongLong(args[8]);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return REFER(gather);
    }
    /* `below` bounds the stack: each level of directories may have as many levels of inner nodes as a hash has digits. */
    if (g.head < 0 || g.fanout < 2 || g.fanout > 256 || g.leaf < 0 || g.levels < 0 || g.levels > 8 * HASH || depth < 0 ||
        depth > g.levels || g.most < 0 || g.room < 0 || below < 0 || below > MOST_BELOW)
        return REFER(gather);
    Directory directory = {PyList_New(0), below, 0, 0};
    uint8_t hash[HASH];
    memcpy(hash, PyBytes_AS_STRING(args[7]), HASH);
    int taken = directory.pairs ? take(&g, &directory, hash, word, depth, count) : -1;
    let_go(&g.maps);
    if (taken <= 0) {
        Py_XDECREF(directory.pairs);
        return taken ? NULL : REFER(gather);
    }
    PyObject *items[] = {
        PyLong_FromLongLong(g.nodes), PyLong_FromLongLong(g.values), PyLong_FromSsize_t(g.used), directory.pairs,
    };
    return tuple_of(4, items);
}

PyMethodDef gather_methods[] = {
    METHOD(gather, "All that a directory binds, from the frames of its nodes and values in maps."),
    {NULL, NULL, 0, NULL},
};
