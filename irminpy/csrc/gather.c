/* All that a directory binds, from the frames of its nodes and values in maps (`irminpy/_gather.py`). */
#include "core.h"
#include "frame.h"
#include "msgpack.h"
#include "seek.h"

#define OVERHEAD 64 /* bytes that a value takes besides itself */

typedef struct {
    State *state;
    Maps maps;
    Py_ssize_t head, fanout, leaf, levels, most, room, used;
    int64_t nodes, values;
    const uint8_t *empty;
    PyObject *steps, *children;
} Gathering;

/* All functions here: 1 if it was taken in, 0 if Python has to look, -1 with an error. */
static int take(Gathering *g, const uint8_t *hash, uint64_t word, int64_t depth, int64_t count);

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

static int put(PyObject *list, PyObject *item) {
    int failed = !item || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 1;
}

static int take_node(Gathering *g, Reader r, const uint8_t *words, Py_ssize_t hints, int64_t count) {
    if (left(&r) < 2 || r.at[0] != 'N' || r.at[1] != 0x93) return 0;
    r.at += 2;
    int64_t n = read_array(&r);
    if (n < 0 || n > g->leaf || n > g->most - PyList_GET_SIZE(g->steps) || n != hints || (count >= 0 && n != count)) return 0;
    const uint8_t *step, *kinds, *hashes, *before = NULL;
    Reader steps = r;
    for (int64_t i = 0; i < n; i++)
        if (read_str(&r, &step) < 0) return 0;
    if (read_bin(&r, &kinds) != n || read_bin(&r, &hashes) != n * HASH || r.at != r.end) return 0;
    size_t length = 0;
    for (int64_t i = 0; i < n; i++) {
        size_t longer = (size_t)read_str(&steps, &step);
        if (kinds[i] > 1 || !is_utf8(step, longer)) return 0;
        if (before) {
            /* Ascending, so that no step is there twice. */
            int order = memcmp(before, step, length < longer ? length : longer);
            if (order > 0 || (order == 0 && length >= longer)) return 0;
        }
        before = step;
        length = longer;
        if (put(g->steps, PyUnicode_DecodeUTF8((const char *)step, (Py_ssize_t)longer, "strict")) < 0) return -1;
        const uint8_t *hash = hashes + HASH * i;
        uint64_t word = u64(words + 8 * i);
        PyObject *child = kinds[i] ? value_at(g, hash, word) : NULL;
        if (!child && !PyErr_Occurred()) {
            PyObject *items[] = {
                PyLong_FromLong(kinds[i]),
                PyBytes_FromStringAndSize((const char *)hash, HASH),
                PyLong_FromUnsignedLongLong(word),
            };
            child = tuple_of(3, items);
        }
        if (put(g->children, child) < 0) return -1;
    }
    return 1;
}

static int take_inode(Gathering *g, Reader r, const uint8_t *words, Py_ssize_t hints, int64_t depth, int64_t count) {
    if (left(&r) < 2 || r.at[1] != 0x96) return 0;
    r.at += 2;
    if (read_count(&r) != g->fanout || read_count(&r) != g->leaf || read_count(&r) != depth || depth >= g->levels) return 0;
    const uint8_t *buckets, *hashes;
    int64_t k = read_bin(&r, &buckets), total = 0;
    if (k < 1 || k > g->fanout || k != hints || read_array(&r) != k) return 0;
    Reader counts = r;
    for (int64_t i = 0; i < k; i++) {
        int64_t below = read_count(&r);
        if (below < 1 || below > g->most - PyList_GET_SIZE(g->steps) - total) return 0;
        total += below;
    }
    if (total <= g->leaf || (count >= 0 && total != count) || read_bin(&r, &hashes) != k * HASH || r.at != r.end) return 0;
    for (int64_t i = 0; i < k; i++) {
        int taken = take(g, hashes + HASH * i, u64(words + 8 * i), depth + 1, read_count(&counts));
        if (taken <= 0) return taken;
    }
    return 1;
}

static int take(Gathering *g, const uint8_t *hash, uint64_t word, int64_t depth, int64_t count) {
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
    int taken = copy[0] == 'I' ? take_inode(g, r, words, frame.hint_count, depth, count)
                               : take_node(g, r, words, frame.hint_count, count);
    PyMem_Free(copy);
    return taken;
}

FUNCTION(gather) {
    /* bases, segments, head, fanout, leaf, levels, empty, hash, word, depth, count, most, room */
    if (nargs != 13 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[1]) || !PyBytes_CheckExact(args[6]) ||
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
    Py_ssize_t depth = size_of(args[9]);
    int64_t count = size_of(args[10]); /* -1 for a number below 0 */
    uint64_t word = PyLong_AsUnsignedLongLong(args[8]);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return REFER(gather);
    }
    if (g.head < 0 || g.fanout < 2 || g.fanout > 256 || g.leaf < 0 || g.levels < 0 || g.levels > 8 * HASH || depth < 0 ||
        depth > g.levels || g.most < 0 || g.room < 0)
        return REFER(gather);
    g.steps = PyList_New(0);
    g.children = PyList_New(0);
    uint8_t hash[HASH];
    memcpy(hash, PyBytes_AS_STRING(args[7]), HASH);
    int taken = g.steps && g.children ? take(&g, hash, word, depth, count) : -1;
    let_go(&g.maps);
    if (taken <= 0) {
        Py_XDECREF(g.steps);
        Py_XDECREF(g.children);
        return taken ? NULL : REFER(gather);
    }
    PyObject *items[] = {
        PyLong_FromLongLong(g.nodes), PyLong_FromLongLong(g.values), PyLong_FromSsize_t(g.used), g.steps, g.children,
    };
    return tuple_of(5, items);
}

PyMethodDef gather_methods[] = {
    METHOD(gather, "All that a directory binds, from the frames of its nodes and values in maps."),
    {NULL, NULL, 0, NULL},
};
