/* Frames of the pack (docs/formats/pack.md, "Frames"): found right where they lie in a map, gone through, and made. */
#include "core.h"
#include "blake3.h"
#include "crc.h"
#include "seek.h"

#define HEADER 16
#define MOST_HASHED 4096 /* larger ones are hashed by the package blake3, which Python calls */
#define HASH 32
#define LONG ((1 << 20) - 1)

enum { WORD_NODE = 1, WORD_CONTENTS = 2, WORD_COMMIT = 3 };

static inline uint32_t u32(const uint8_t *p) {
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t u64(const uint8_t *p) { return (uint64_t)u32(p) | (uint64_t)u32(p + 4) << 32; }

typedef struct {
    const uint8_t *canonical, *hints;
    Py_ssize_t size, hint_count;
} Frame;

/* Whether the `size` bytes at `p` are the frame of the object of the word's `kind` that hashes to `hash`. */
static int is_frame(const uint8_t *p, Py_ssize_t size, Py_ssize_t head, int kind, const uint8_t *hash, Frame *found) {
    if (size < head || head < HEADER) return 0;
    Py_ssize_t units = u32(p + 4), hints = u32(p + 8);
    int frame = p[12], pad = p[13];
    if (units != size >> 3 || frame != (kind == WORD_NODE ? 'N' : kind == WORD_CONTENTS ? 'B' : 'C')) return 0;
    if (hints > (size - head) >> 3 || size - head - 8 * hints < pad) return 0;
    found->hints = p + head;
    found->hint_count = hints;
    found->canonical = p + head + 8 * hints;
    found->size = size - head - 8 * hints - pad;
    if (found->size > MOST_HASHED) return 0;
    uint8_t digest[BLAKE3_SIZE];
    blake3_digest(found->canonical, (size_t)found->size, digest);
    if (memcmp(digest, hash, HASH)) return 0;
    /* The hash guards all of contents; what else leads on is guarded by the crc. */
    return kind == WORD_CONTENTS || crc_of(p + 4, (size_t)size - 4, 0) == u32(p);
}

FUNCTION(checked_frame) {
    Py_ssize_t at, size, head;
    long kind;
    if (nargs != 6 || !PyBytes_CheckExact(args[5]) || PyBytes_GET_SIZE(args[5]) != HASH ||
        (at = size_of(args[1])) < 0 || (size = size_of(args[2])) < 0 || (head = size_of(args[3])) < 0 ||
        !PyLong_CheckExact(args[4]))
        return REFER(checked_frame);
    kind = (long)size_of(args[4]);
    Py_buffer map;
    if (kind < 1 || kind > 3 || PyObject_GetBuffer(args[0], &map, PyBUF_SIMPLE) < 0) {
        PyErr_Clear();
        return REFER(checked_frame);
    }
    Frame frame;
    PyObject *result = NULL;
    int right = at <= map.len && size <= map.len - at &&
                is_frame((const uint8_t *)map.buf + at, size, head, (int)kind, (const uint8_t *)PyBytes_AS_STRING(args[5]),
                         &frame);
    if (right) {
        PyObject *items[] = {
            PyBytes_FromStringAndSize((const char *)frame.canonical, frame.size),
            PyBytes_FromStringAndSize((const char *)frame.hints, kind == WORD_CONTENTS ? 0 : 8 * frame.hint_count),
        };
        result = tuple_of(2, items);
    }
    PyBuffer_Release(&map);
    return right ? result : REFER(checked_frame);
}

/* -- the way down ------------------------------------------------------------------------------------------------------ */

/* The map of a segment, which is held while frames in it are read. */
typedef struct {
    PyObject *bases, *segments;
    Py_ssize_t held; /* number of the segment, or -1 */
    uint64_t base;
    Py_ssize_t seen;
    Py_buffer map;
} Maps;

static void let_go(Maps *maps) {
    if (maps->held >= 0) PyBuffer_Release(&maps->map);
    maps->held = -1;
}

/* The segment that the virtual `offset` lies in is held; 0 if there is none that is mapped. */
static int hold(Maps *maps, uint64_t offset, PyObject *map_name, PyObject *seen_name) {
    Py_ssize_t low = 0, high = PyList_GET_SIZE(maps->bases);
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2, base = size_of(PyList_GET_ITEM(maps->bases, middle));
        if (base < 0) return 0;
        if ((uint64_t)base <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || low > PyList_GET_SIZE(maps->segments)) return 0;
    if (maps->held == low - 1) return 1;
    let_go(maps);
    PyObject *segment = Py_NewRef(PyList_GET_ITEM(maps->segments, low - 1));
    PyObject *seen = PyObject_GetAttr(segment, seen_name), *map = seen ? PyObject_GetAttr(segment, map_name) : NULL;
    int held = map && map != Py_None && (maps->seen = size_of(seen)) > 0 &&
               PyObject_GetBuffer(map, &maps->map, PyBUF_SIMPLE) == 0;
    Py_DECREF(segment);
    Py_XDECREF(seen);
    Py_XDECREF(map);
    /* Attributes may have run anything: the lists are looked at again. */
    if (!held || low > PyList_GET_SIZE(maps->bases)) {
        PyErr_Clear();
        if (held) PyBuffer_Release(&maps->map);
        return 0;
    }
    maps->held = low - 1;
    maps->base = (uint64_t)size_of(PyList_GET_ITEM(maps->bases, low - 1));
    if (maps->seen > maps->map.len) maps->seen = maps->map.len;
    return maps->base <= offset;
}

/* The frame at `word`, if it is the one of `hash` and lies in a map. */
static int frame_at(Maps *maps, uint64_t word, int kind, const uint8_t *hash, Py_ssize_t head, PyObject *map_name,
                    PyObject *seen_name, Frame *found) {
    uint64_t offset = word >> 22 << 3;
    Py_ssize_t units = (Py_ssize_t)(word >> 2 & LONG);
    if ((int)(word & 3) != kind || units == LONG || !hold(maps, offset, map_name, seen_name)) return 0;
    uint64_t at = offset - maps->base;
    if (at > (uint64_t)maps->seen || 8 * units > maps->seen - (Py_ssize_t)at) return 0;
    return is_frame((const uint8_t *)maps->map.buf + at, 8 * units, head, kind, hash, found);
}

static Py_ssize_t digit_of(const uint8_t key[HASH], int64_t depth, int width) {
    int64_t start = depth * width, at = start >> 3;
    uint32_t window = (uint32_t)key[at] << 8 | (at + 1 < HASH ? key[at + 1] : 0);
    return (Py_ssize_t)(window >> (16 - width - (start & 7)) & ((1u << width) - 1));
}

FUNCTION(descend) {
    /* bases, segments, head, fanout, leaf, empty, hash, word, steps */
    if (nargs != 9 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[1]) || !PyBytes_CheckExact(args[5]) ||
        !PyBytes_Check(args[6]) || !PyLong_CheckExact(args[7]) || !PyList_CheckExact(args[8]) ||
        PyBytes_GET_SIZE(args[5]) != HASH || PyBytes_GET_SIZE(args[6]) != HASH)
        return REFER(descend);
    Py_ssize_t head = size_of(args[2]), fanout = size_of(args[3]), leaf = size_of(args[4]);
    uint64_t word = PyLong_AsUnsignedLongLong(args[7]);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return REFER(descend);
    }
    int width = 0;
    while (width < 8 && 1 << width < fanout) width++;
    if (head < 0 || fanout < 2 || 1 << width != fanout || leaf < 0) return REFER(descend);
    State *state = state_of(module);
    const char *empty = PyBytes_AS_STRING(args[5]);
    uint8_t hash[HASH], key[BLAKE3_SIZE];
    memcpy(hash, PyBytes_AS_STRING(args[6]), HASH);
    Maps maps = {.bases = args[0], .segments = args[1], .held = -1};
    Frame frame;
    Sought found;
    int kind = 0;
    int64_t reads = 0;
    PyObject *steps = PyList_AsTuple(args[8]); /* which nobody changes */
    if (!steps) return NULL;
    PyObject *value = Py_None;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(steps); i++) {
        Py_ssize_t length;
        const char *step = utf8(PyTuple_GET_ITEM(steps, i), &length);
        if (!step) goto unknown;
        if (kind) goto absent;
        int hashed = 0;
        int64_t count = -1;
        for (int64_t depth = 0;; depth++) {
            if (!memcmp(hash, empty, HASH)) goto absent;
            if (!frame_at(&maps, word, WORD_NODE, hash, head, state->map, state->seen, &frame)) goto unknown;
            reads++;
            int flat = !frame.size || frame.canonical[0] != 'I';
            if (flat) {
                if (!seek_in_node(frame.canonical, frame.size, HASH, leaf, step, length, &found)) goto unknown;
            } else {
                if (depth >= 8 * HASH / width) goto unknown;
                if (!hashed) blake3_digest((const uint8_t *)step, (size_t)length, key);
                hashed = 1;
                if (!seek_in_inode(frame.canonical, frame.size, HASH, fanout, leaf, depth, digit_of(key, depth, width),
                                   &found))
                    goto unknown;
            }
            if ((count >= 0 && found.entries != count) || (frame.hint_count && frame.hint_count != found.columns))
                goto unknown;
            if (found.position < 0) goto absent;
            memcpy(hash, found.hash, HASH);
            word = frame.hint_count ? u64(frame.hints + 8 * found.position) : 0;
            count = found.below;
            if (flat) break;
        }
        kind = found.kind;
    }
    if (!kind) goto absent;
    if (!frame_at(&maps, word, WORD_CONTENTS, hash, head, state->map, state->seen, &frame) || !frame.size ||
        frame.canonical[0] != 'B')
        goto unknown;
    value = PyBytes_FromStringAndSize((const char *)frame.canonical + 1, frame.size - 1);
absent:
    let_go(&maps);
    Py_DECREF(steps);
    PyObject *items[] = {PyLong_FromLongLong(reads), value == Py_None ? Py_NewRef(Py_None) : value};
    return tuple_of(2, items);
unknown:
    let_go(&maps);
    Py_DECREF(steps);
    Py_RETURN_NONE;
}

PyMethodDef frame_methods[] = {
    METHOD(checked_frame, "What lies in a frame that was found right."),
    METHOD(descend, "What steps lead to, from the frames of nodes in maps."),
    {NULL, NULL, 0, NULL},
};
