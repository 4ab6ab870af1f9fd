/* Frames of the pack (docs/formats/pack.md, "Frames"): found right where they lie in a map, gone through, and made. */
#include "core.h"
#include "blake3.h"
#include "crc.h"
#include "difference.h"
#include "frame.h"
#include "proof.h"
#include "record.h"
#include "seek.h"

#define HEADER 16
#define LONG ((1 << 20) - 1)

/* Whether the `size` bytes at `p` are a frame, by their header; what lies in it. */
static int parse(const uint8_t *p, Py_ssize_t size, Py_ssize_t head, Frame *found) {
    if (size < head || head < HEADER) return 0;
    Py_ssize_t units = u32(p + 4), hints = u32(p + 8);
    int pad = p[13];
    if (units != size >> 3 || hints > (size - head) >> 3 || size - head - 8 * hints < pad) return 0;
    found->letter = p[12];
    found->hints = p + head;
    found->hint_count = hints;
    found->canonical = p + head + 8 * hints;
    found->size = size - head - 8 * hints - pad;
    found->whole = size;
    return 1;
}

/* Whether the crc of a frame is the right one. */
static int is_whole(const uint8_t *p, Py_ssize_t size) { return crc_of(p + 4, (size_t)size - 4, 0) == u32(p); }

static int is_of(const Frame *found, const uint8_t *hash) {
    if (found->size > MOST_HASHED) return 0;
    uint8_t digest[BLAKE3_SIZE];
    blake3_digest(found->canonical, (size_t)found->size, digest);
    return !memcmp(digest, hash, HASH);
}

/* Whether the `size` bytes at `p` are the frame of the object of the word's `kind` that hashes to `hash`. */
static int is_frame(const uint8_t *p, Py_ssize_t size, Py_ssize_t head, int kind, const uint8_t *hash, Frame *found) {
    /* The hash guards all of contents; what else leads on is guarded by the crc. */
    return parse(p, size, head, found) && found->letter == (kind == WORD_NODE ? 'N' : kind == WORD_CONTENTS ? 'B' : 'C') &&
           is_of(found, hash) && (kind == WORD_CONTENTS || is_whole(p, size));
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

static void close_map(Maps *maps) {
    if (maps->held >= 0) PyBuffer_Release(&maps->map);
    maps->held = -1;
}

void let_go(Maps *maps) {
    close_map(maps);
    PyMem_Free(maps->made);
    maps->made = NULL;
    maps->room = 0;
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
    close_map(maps);
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

/* The bytes that `word` says a frame has, if they lie in a map; they hold until the next call. */
static const uint8_t *bytes_at(Maps *maps, uint64_t word, State *state, Py_ssize_t *size) {
    uint64_t offset = word >> 22 << 3;
    Py_ssize_t units = (Py_ssize_t)(word >> 2 & LONG);
    if (units == LONG || !hold(maps, offset, state->name[NAME_map], state->name[NAME_seen])) return NULL;
    uint64_t at = offset - maps->base;
    *size = 8 * units;
    if (at > (uint64_t)maps->seen || *size > maps->seen - (Py_ssize_t)at) return NULL;
    return (const uint8_t *)maps->map.buf + at;
}

/* Whether the difference in the frame of `size` bytes at `p`, whose word is `word`, can be made whole; the node that it is then. */
static int make_whole(Maps *maps, const uint8_t *p, Py_ssize_t size, uint64_t word, Py_ssize_t head, State *state, Frame *found) {
    Frame difference;
    if (!parse(p, size, head, &difference) || difference.hint_count < 2 || !is_whole(p, size)) return 0;
    uint64_t base = u64(difference.hints);
    Py_ssize_t said = difference.size, hints = 8 * difference.hint_count, units = (Py_ssize_t)(base >> 2 & LONG), whole = 8 * units;
    if ((base & 3) != WORD_NODE || units == LONG || base >> 22 >= word >> 22) return 0;
    if (maps->room < hints + said + whole) {
        uint8_t *made = PyMem_Realloc(maps->made, (size_t)(hints + said + whole));
        if (!made) return 0;
        maps->made = made;
        maps->room = hints + said + whole;
    }
    /* What it differs from may lie in another map, for which this one is let go. */
    memcpy(maps->made, difference.hints, (size_t)(hints + said));
    const uint8_t *words = maps->made + 8, *payload = maps->made + hints, *q = bytes_at(maps, base, state, &size);
    if (!q || !parse(q, size, head, found) || found->letter != 'N' || !is_whole(q, size)) return 0;
    Whole before = {found->canonical, found->hints, found->size, found->hint_count};
    Py_ssize_t count = difference.hint_count - 1;
    if (before.n < 1 || before.size / before.n < HASH || !says_of(payload, said, count, before.n, HASH)) return 0;
    uint8_t *column = maps->made + hints + said, *canonical = column + 8 * before.n;
    apply_differences(&before, payload, words, count, HASH, canonical, column);
    found->hints = column;
    found->canonical = canonical;
    return 1;
}

int frame_at(Maps *maps, uint64_t word, int kind, const uint8_t *hash, Py_ssize_t head, State *state, Frame *found) {
    Py_ssize_t size;
    const uint8_t *p = (int)(word & 3) == kind ? bytes_at(maps, word, state, &size) : NULL;
    if (!p) return 0;
    if (kind == WORD_NODE && size >= HEADER && p[12] == 'D')
        return make_whole(maps, p, size, word, head, state, found) && is_of(found, hash);
    return is_frame(p, size, head, kind, hash, found);
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
            if (!frame_at(&maps, word, WORD_NODE, hash, head, state, &frame)) goto unknown;
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
    if (!frame_at(&maps, word, WORD_CONTENTS, hash, head, state, &frame) || !frame.size ||
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

/* record_at(bases, segments, head, hash_size, fanout, leaf, digits, empty, hash, word, flat, inner) */
FUNCTION(record_at) {
    if (nargs != 12 || !PyList_CheckExact(args[0]) || !PyList_CheckExact(args[1]) || size_of(args[3]) != HASH ||
        !PyBytes_Check(args[8]) || PyBytes_GET_SIZE(args[8]) != HASH || !PyLong_CheckExact(args[9]) ||
        !plain_tuple(args[10]) || !plain_tuple(args[11]))
        return REFER(record_at);
    Py_ssize_t head = size_of(args[2]);
    uint64_t word = PyLong_AsUnsignedLongLong(args[9]);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return REFER(record_at);
    }
    State *state = state_of(module);
    Maps maps = {.bases = args[0], .segments = args[1], .held = -1};
    Frame frame;
    PyObject *data = NULL, *words = NULL;
    if (head >= 0 && frame_at(&maps, word, WORD_NODE, (const uint8_t *)PyBytes_AS_STRING(args[8]), head,
                              state, &frame)) {
        data = PyBytes_FromStringAndSize((const char *)frame.canonical, frame.size);
        words = PyBytes_FromStringAndSize((const char *)frame.hints, 8 * frame.hint_count);
    }
    let_go(&maps);
    if (!data || !words) {
        Py_XDECREF(data);
        Py_XDECREF(words);
        return PyErr_Occurred() ? NULL : REFER(record_at);
    }
    int flat = !frame.size || PyBytes_AS_STRING(data)[0] != 'I';
    PyObject *node[] = {data, args[3], args[5], args[7]}, *inode[] = {data, args[3], args[4], args[5], args[6], args[7]};
    PyObject *columns = flat ? core_load_node(module, node, 4) : core_load_inode(module, inode, 6), *record = NULL;
    Py_DECREF(data);
    if (columns && PyTuple_CheckExact(columns) && PyTuple_GET_SIZE(columns) == 5) {
        Py_ssize_t children = flat ? PyDict_GET_SIZE(field(columns, 0)) : PyBytes_GET_SIZE(field(columns, 1));
        if (!frame.hint_count || frame.hint_count == children) {
            PyTypeObject *type = (PyTypeObject *)args[flat ? 10 : 11];
            record = type->tp_alloc(type, flat ? NODE : INODE);
            for (Py_ssize_t i = 0; record && i < 4; i++) PyTuple_SET_ITEM(record, i, Py_NewRef(field(columns, i)));
            if (record) {
                PyTuple_SET_ITEM(record, 4, Py_NewRef(words));
                PyTuple_SET_ITEM(record, 5, Py_NewRef(field(columns, 4)));
            }
            if (record && flat) {
                PyTuple_SET_ITEM(record, 6, PyBytes_FromStringAndSize("", 0));
                PyTuple_SET_ITEM(record, 7, PyLong_FromLong(0));
            }
            if (record) settled_record(record);
        }
    }
    Py_XDECREF(columns);
    Py_DECREF(words);
    if (record) return record;
    if (PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_ValueError)) return NULL;
        PyErr_Clear(); /* who reads it step by step says the same, and where */
    }
    return REFER(record_at);
}

/* -- making ------------------------------------------------------------------------------------------------------------ */

static inline void put32(uint8_t *p, uint32_t x) {
    for (int i = 0; i < 4; i++) p[i] = (uint8_t)(x >> (8 * i));
}

#define MOST_HASH 1024
#define MOST_PART (1 << 30) /* bytes of hints, or of an object: what is larger is for Python */

/* The size of a frame of which these are the sizes, at most those above. */
static Py_ssize_t size_of_frame(Py_ssize_t hash, Py_ssize_t hints, Py_ssize_t canonical) {
    return (HEADER + ((hash + 7) & -8) + hints + canonical + 7) & -8;
}

/* The header of a frame at `p`, which has so many bytes of hints and of what follows them; where the hints go. */
static uint8_t *put_header(uint8_t *p, int kind, const char *hash, Py_ssize_t hash_size, Py_ssize_t hint_size, Py_ssize_t canonical_size) {
    Py_ssize_t head = HEADER + ((hash_size + 7) & -8), size = head + hint_size + canonical_size, whole = (size + 7) & -8;
    put32(p + 4, (uint32_t)(whole >> 3));
    put32(p + 8, (uint32_t)(hint_size >> 3));
    p[12] = (uint8_t)kind;
    p[13] = (uint8_t)(whole - size);
    p[14] = p[15] = 0;
    memset(p + HEADER, 0, (size_t)(head - HEADER));
    memcpy(p + HEADER, hash, (size_t)hash_size);
    memset(p + size, 0, (size_t)(whole - size));
    return p + head;
}

static void put_crc(uint8_t *p) { put32(p, crc_of(p + 4, 8 * (size_t)u32(p + 4) - 4, 0)); }

/* The frame of an object, at `p`, where there is room for it. */
static void put_frame(uint8_t *p, int kind, const char *hash, Py_ssize_t hash_size, const uint8_t *hints,
                      Py_ssize_t hint_size, const char *canonical, Py_ssize_t canonical_size) {
    uint8_t *at = put_header(p, kind, hash, hash_size, hint_size, canonical_size);
    if (hint_size) memcpy(at, hints, (size_t)hint_size);
    memcpy(at + hint_size, canonical, (size_t)canonical_size);
    put_crc(p);
}

FUNCTION(frame_of) {
    /* kind, hash, hints, canonical */
    if (nargs != 4 || !PyBytes_Check(args[1]) || !PyBytes_CheckExact(args[2]) || !PyBytes_CheckExact(args[3]))
        return REFER(frame_of);
    Py_ssize_t kind = size_of(args[0]), hash = PyBytes_GET_SIZE(args[1]), hints = PyBytes_GET_SIZE(args[2]);
    Py_ssize_t canonical = PyBytes_GET_SIZE(args[3]);
    if (kind < 0 || kind > 255 || hash > MOST_HASH || hints > MOST_PART || canonical > MOST_PART) return REFER(frame_of);
    PyObject *frame = PyBytes_FromStringAndSize(NULL, size_of_frame(hash, hints, canonical));
    if (frame)
        put_frame((uint8_t *)PyBytes_AS_STRING(frame), (int)kind, PyBytes_AS_STRING(args[1]), hash,
                  (const uint8_t *)PyBytes_AS_STRING(args[2]), hints, PyBytes_AS_STRING(args[3]), canonical);
    return frame;
}

/* The column of `n` words, a new reference: those of `known`, if there are any, and where they are 0, those of the hashes in
 * `nodes` (kind 0) or `contents`. NULL if one is not known, or with an error set. */
static PyObject *fill(const uint8_t *known, const uint8_t *kinds, const uint8_t *hashes, Py_ssize_t n, Py_ssize_t size,
                      PyObject *nodes, PyObject *contents) {
    PyObject *column = PyBytes_FromStringAndSize(NULL, 8 * n);
    if (!column) return NULL;
    uint8_t *words = (uint8_t *)PyBytes_AS_STRING(column);
    if (known)
        memcpy(words, known, (size_t)(8 * n));
    else
        memset(words, 0, (size_t)(8 * n));
    for (Py_ssize_t i = 0; i < n; i++) {
        if (u64(words + 8 * i)) continue;
        PyObject *hash = PyBytes_FromStringAndSize((const char *)hashes + i * size, size);
        PyObject *found = hash ? PyDict_GetItemWithError(kinds && kinds[i] ? contents : nodes, hash) : NULL;
        uint64_t word = found && PyLong_CheckExact(found) ? PyLong_AsUnsignedLongLong(found) : 0;
        Py_XDECREF(hash);
        if (!word || PyErr_Occurred()) {
            Py_DECREF(column);
            return NULL;
        }
        put32(words + 8 * i, (uint32_t)word);
        put32(words + 8 * i + 4, (uint32_t)(word >> 32));
    }
    return column;
}

FUNCTION(filled_words) {
    /* words, kinds, hashes, nodes, contents */
    if (nargs != 5 || !PyBytes_CheckExact(args[0]) || !PyBytes_CheckExact(args[1]) || !PyBytes_CheckExact(args[2]) ||
        !PyDict_CheckExact(args[3]) || !PyDict_CheckExact(args[4]))
        return REFER(filled_words);
    Py_ssize_t n = PyBytes_GET_SIZE(args[1]), known = PyBytes_GET_SIZE(args[0]), size = PyBytes_GET_SIZE(args[2]);
    if (!n || n > 1 << 24 || size % n || (known && known != 8 * n)) return REFER(filled_words);
    PyObject *column = fill(known ? (const uint8_t *)PyBytes_AS_STRING(args[0]) : NULL,
                            (const uint8_t *)PyBytes_AS_STRING(args[1]), (const uint8_t *)PyBytes_AS_STRING(args[2]), n,
                            size / n, args[3], args[4]);
    if (column) return column;
    if (!PyErr_Occurred()) Py_RETURN_NONE;
    PyErr_Clear();
    return REFER(filled_words);
}

/* What frames are made from, and what learns of them. */
typedef struct {
    State *state;
    PyObject *entries, *known, *decoded, *nodes, *contents;
    int frame, kind;
    PyTypeObject *flat, *inner;
    PyObject *read; /* what reads what lies in no block and no map */
    const uint8_t *older; /* for each row the word of an older node; NULL for none */
    Py_ssize_t n_older;
    PyObject *starts, *blocks;
    Maps maps;
    PyObject *part; /* bytes, as long as there is room for */
    Py_ssize_t used;
} Framing;

/* Room for so many bytes more, where `part` ends so far; NULL with an error set. */
static uint8_t *room_for(Framing *f, Py_ssize_t more) {
    Py_ssize_t room = f->part ? PyBytes_GET_SIZE(f->part) : 0;
    if (more > room - f->used) {
        /* Little goes to waste of much, and what is much moves without being copied. */
        room = f->used + more + (f->used < 1 << 20 ? f->used : f->used / 4) + 4096;
        if (!f->part)
            f->part = PyBytes_FromStringAndSize(NULL, room);
        else if (_PyBytes_Resize(&f->part, room) < 0)
            return NULL;
    }
    return f->part ? (uint8_t *)PyBytes_AS_STRING(f->part) + f->used : NULL;
}

/* The words of the children of the node `data` under `hash`, a new reference; NULL if they are not known, or with an error
 * set. */
static PyObject *hints_of(const Framing *f, PyObject *module, PyObject *hash, PyObject *data) {
    PyObject *known = PyDict_GetItemWithError(f->known, hash), *record, *columns = NULL, *hints = NULL;
    const uint8_t *kinds = NULL;
    PyObject *hashes;
    Py_ssize_t n;
    if (known && !PyBytes_CheckExact(known)) return NULL;
    Py_ssize_t known_size = known ? PyBytes_GET_SIZE(known) : 0;
    int whole = known_size > 0 && known_size % 8 == 0;
    for (Py_ssize_t i = 0; whole && i < known_size; i += 8) whole = u64((const uint8_t *)PyBytes_AS_STRING(known) + i) != 0;
    if (whole) return Py_NewRef(known);
    record = PyDict_GetItemWithError(f->decoded, hash);
    if (record && Py_TYPE(record) == f->flat && is_node(record)) {
        hashes = field(record, 2);
        kinds = (const uint8_t *)PyBytes_AS_STRING(field(record, 1));
        n = PyBytes_GET_SIZE(field(record, 1));
    } else if (record && Py_TYPE(record) == f->inner && is_inode(record)) {
        hashes = field(record, 3);
        n = PyBytes_GET_SIZE(field(record, 1));
    } else {
        PyObject *size = PyLong_FromLong(HASH), *asked[] = {data, size};
        columns = size ? core_children(module, asked, 2) : NULL;
        Py_XDECREF(size);
        if (!columns || !PyTuple_CheckExact(columns) || PyTuple_GET_SIZE(columns) != 2 ||
            !PyBytes_CheckExact(field(columns, 0)) || !PyBytes_CheckExact(field(columns, 1))) {
            Py_XDECREF(columns);
            return NULL;
        }
        hashes = field(columns, 1);
        kinds = (const uint8_t *)PyBytes_AS_STRING(field(columns, 0));
        n = PyBytes_GET_SIZE(field(columns, 0));
    }
    if (n && n <= 1 << 24 && PyBytes_CheckExact(hashes) && PyBytes_GET_SIZE(hashes) == n * HASH &&
        (!known_size || known_size == 8 * n))
        hints = fill(known_size ? (const uint8_t *)PyBytes_AS_STRING(known) : NULL, kinds,
                     (const uint8_t *)PyBytes_AS_STRING(hashes), n, HASH, f->nodes, f->contents);
    if (hints && PyDict_SetItem(f->known, hash, hints) < 0) Py_CLEAR(hints);
    Py_XDECREF(columns);
    return hints;
}

/* The bytes at `word` in a block, which `*held` keeps; NULL if they lie in none. */
static const uint8_t *in_block(const Framing *f, uint64_t word, Py_ssize_t size, PyObject **held) {
    Py_ssize_t offset = (Py_ssize_t)(word >> 22 << 3), low = 0, high = PyList_GET_SIZE(f->starts), start;
    while (low < high) {
        Py_ssize_t middle = low + (high - low) / 2;
        if ((start = size_of(PyList_GET_ITEM(f->starts, middle))) < 0) return NULL;
        if (start <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    if (!low || low > PyList_GET_SIZE(f->blocks)) return NULL;
    PyObject *block = PyList_GET_ITEM(f->blocks, low - 1);
    Py_ssize_t at = offset - size_of(PyList_GET_ITEM(f->starts, low - 1));
    if (!PyBytes_CheckExact(block) || at > PyBytes_GET_SIZE(block) || size > PyBytes_GET_SIZE(block) - at) return NULL;
    *held = Py_NewRef(block);
    return (const uint8_t *)PyBytes_AS_STRING(block) + at;
}

/* The frame that `word` leads to, by its header; `*held` may keep its bytes. 0 if there is none, -1 with an error set. */
static int frame_in(Framing *f, uint64_t word, PyObject **held, Frame *found) {
    Py_ssize_t size = 8 * (Py_ssize_t)(word >> 2 & LONG);
    const uint8_t *p = (word & 3) == WORD_NODE ? in_block(f, word, size, held) : NULL;
    if (!p && (word & 3) == WORD_NODE) p = bytes_at(&f->maps, word, f->state, &size);
    if (!p && (word & 3) == WORD_NODE && size >= HEADER && size < 8 * LONG) {
        PyObject *offset = PyLong_FromUnsignedLongLong(word >> 22 << 3), *wanted = PyLong_FromSsize_t(size);
        if (offset && wanted) *held = PyObject_CallFunctionObjArgs(f->read, offset, wanted, NULL);
        Py_XDECREF(offset);
        Py_XDECREF(wanted);
        if (!*held) {
            /* What cannot be read is nothing to build upon. */
            if (!PyErr_ExceptionMatches(PyExc_Exception) || PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
            PyErr_Clear();
            return 0;
        }
        if (PyBytes_CheckExact(*held) && PyBytes_GET_SIZE(*held) == size) p = (const uint8_t *)PyBytes_AS_STRING(*held);
    }
    return p && parse(p, size, HEADER + HASH, found);
}

/* In how many children `node` differs from the one at `*word`, or from what that is a difference from, where `*word` is then; `*held`
 * may keep its bytes. 0 if it is better written whole, -1 with an error set. */
static Py_ssize_t difference_of(Framing *f, const Whole *node, uint64_t *word, PyObject **held, Whole *before) {
    Frame found;
    int done = frame_in(f, *word, held, &found);
    if (done == 1 && found.letter == 'D') {
        /* Each differs from a whole node, so that no more than two frames are read for one. */
        *word = found.hint_count ? u64(found.hints) : 0;
        Py_CLEAR(*held);
        done = frame_in(f, *word, held, &found);
    }
    if (done != 1) return done;
    *before = (Whole){found.canonical, found.hints, found.size, found.hint_count};
    Py_ssize_t count = found.letter == 'N' ? differences(node, before, HASH) : 0;
    /* Who builds upon what is damaged loses more than what was. */
    return count && is_whole(found.hints - HEADER - HASH, found.whole) ? count : 0;
}

/* The word of the node whose place the one in row `i` takes; 0 for unknown. */
static inline uint64_t older_of(const Framing *f, Py_ssize_t i) { return i < f->n_older ? u64(f->older + 8 * i) : 0; }

#define LINE 64
#define SOON 4 /* rows: about what it takes to fetch a line of memory */

/* The bytes at `word`, if they are at hand: in a block, or in the map that is held. */
static const uint8_t *at_hand(const Framing *f, uint64_t word) {
    PyObject *held = NULL;
    Py_ssize_t size = 8 * (Py_ssize_t)(word >> 2 & LONG);
    if (size < LINE) return NULL;
    const uint8_t *p = in_block(f, word, size, &held);
    Py_XDECREF(held); /* whoever keeps the blocks still does */
    if (p || f->maps.held < 0) return p;
    uint64_t offset = word >> 22 << 3, at = offset - f->maps.base;
    return offset >= f->maps.base && at <= (uint64_t)f->maps.seen && size <= f->maps.seen - (Py_ssize_t)at
               ? (const uint8_t *)f->maps.map.buf + at
               : NULL;
}

/* What is needed of older nodes some rows later is fetched: memory is far away, and each is somewhere else. */
static void fetch(const Framing *f, Py_ssize_t i) {
    uint64_t word = older_of(f, i + 2 * SOON);
    const uint8_t *p = word ? at_hand(f, word) : NULL;
    if (p) __builtin_prefetch(p);
    word = older_of(f, i + SOON);
    p = word ? at_hand(f, word) : NULL;
    if (p && p[12] == 'D' && u32(p + 8)) {
        word = u64(p + HEADER + HASH);
        p = at_hand(f, word);
    }
    Py_ssize_t size = 8 * (Py_ssize_t)(word >> 2 & LONG);
    for (Py_ssize_t k = 0; p && k < size && k < 16 * LINE; k += LINE) __builtin_prefetch(p + k);
}

/* The frame of an object, of which all learn, to lie at `at`; its size, 0 if that is for Python to do, or -1. */
static Py_ssize_t frame_row(Framing *f, PyObject *module, PyObject *hash, PyObject *data, Py_ssize_t i, uint64_t at) {
    PyObject *hints = NULL;
    if (!PyBytes_CheckExact(hash) || PyBytes_GET_SIZE(hash) != HASH || !PyBytes_CheckExact(data) ||
        PyBytes_GET_SIZE(data) > MOST_PART || at >> 44)
        return 0;
    if (f->kind == WORD_NODE) {
        hints = hints_of(f, module, hash, data);
        if (!hints) {
            /* Whoever asks the codec, and the index, knows what to say. */
            if (PyErr_Occurred() && PyErr_ExceptionMatches(PyExc_MemoryError)) return -1;
            PyErr_Clear();
            return 0;
        }
    }
    Py_ssize_t hint_size = hints ? PyBytes_GET_SIZE(hints) : 0, data_size = PyBytes_GET_SIZE(data), count = 0;
    PyObject *held = NULL;
    Whole node = {(const uint8_t *)PyBytes_AS_STRING(data), NULL, data_size, hint_size / 8}, before;
    uint64_t base = older_of(f, i);
    if (hints) node.words = (const uint8_t *)PyBytes_AS_STRING(hints);
    if (hints && base) {
        count = difference_of(f, &node, &base, &held, &before);
        if (count < 0) {
            Py_DECREF(hints);
            return -1;
        }
        if (count) hint_size = 8 * (count + 1), data_size = count * (POSITION + HASH);
    }
    Py_ssize_t size = size_of_frame(HASH, hint_size, data_size);
    Py_ssize_t units = size >> 3 < LONG ? size >> 3 : LONG;
    PyObject *word = PyLong_FromUnsignedLongLong(at >> 3 << 22 | (uint64_t)units << 2 | (uint64_t)f->kind);
    uint8_t *p = word ? room_for(f, size) : NULL;
    int done = p && PyDict_SetItem(f->kind == WORD_NODE ? f->nodes : f->contents, hash, word) == 0;
    if (done && f->entries != Py_None) done = PyDict_SetItem(f->entries, hash, word) == 0;
    if (done) {
        if (count) {
            uint8_t *at = put_header(p, 'D', PyBytes_AS_STRING(hash), HASH, hint_size, data_size);
            put_u64(at, base);
            put_differences(&node, &before, HASH, count, at + hint_size, at + 8);
            put_crc(p);
        } else {
            put_frame(p, f->frame, PyBytes_AS_STRING(hash), HASH, node.words, hint_size, PyBytes_AS_STRING(data), data_size);
        }
        f->used += size;
    }
    Py_XDECREF(word);
    Py_XDECREF(hints);
    Py_XDECREF(held);
    return done ? size : -1;
}

/* Row `i`, new references; 0 at the end, or where there is none. In a dict it stands at `*next`. */
static int row_at(PyObject *rows, Py_ssize_t i, Py_ssize_t *next, PyObject **hash, PyObject **data) {
    if (PyDict_CheckExact(rows)) {
        if (!PyDict_Next(rows, next, hash, data)) return 0;
    } else {
        PyObject *row = i < PyList_GET_SIZE(rows) ? PyList_GET_ITEM(rows, i) : NULL;
        if (!row || !PyTuple_CheckExact(row) || PyTuple_GET_SIZE(row) != 2) return 0;
        *hash = field(row, 0);
        *data = field(row, 1);
    }
    Py_INCREF(*hash);
    Py_INCREF(*data);
    return 1;
}

/* frames(rows, i, frame, kind, at, stop, parts, entries, known, decoded, nodes, contents, flat, inner, older, bases, segments,
 * read, starts, blocks) */
FUNCTION(frames) {
    Py_ssize_t i, at, stop, next = 0, size = 1;
    if (nargs != 20 || (i = size_of(args[1])) < 0 || !(PyList_CheckExact(args[0]) || (PyDict_CheckExact(args[0]) && !i)) ||
        (at = size_of(args[4])) < 0 || (stop = size_of(args[5])) < 0 || !PyList_CheckExact(args[6]) ||
        !(args[7] == Py_None || PyDict_CheckExact(args[7])) || !PyDict_CheckExact(args[8]) || !PyDict_CheckExact(args[9]) ||
        !PyDict_CheckExact(args[10]) || !PyDict_CheckExact(args[11]) ||
        !(args[14] == Py_None ||
          (PyBytes_CheckExact(args[14]) && PyList_CheckExact(args[15]) && PyList_CheckExact(args[16]) &&
           PyList_CheckExact(args[18]) && PyList_CheckExact(args[19]))))
        return REFER(frames);
    Framing f = {
        .state = state_of(module),
        .entries = args[7],
        .known = args[8],
        .decoded = args[9],
        .nodes = args[10],
        .contents = args[11],
        .frame = (int)size_of(args[2]),
        .kind = (int)size_of(args[3]),
        .flat = (PyTypeObject *)args[12],
        .inner = (PyTypeObject *)args[13],
        .older = args[14] == Py_None ? NULL : (const uint8_t *)PyBytes_AS_STRING(args[14]),
        .n_older = args[14] == Py_None ? 0 : PyBytes_GET_SIZE(args[14]) / 8,
        .read = args[17],
        .starts = args[18],
        .blocks = args[19],
        .maps = {.bases = args[15], .segments = args[16], .held = -1},
    };
    if (f.frame < 0 || f.frame > 255 || (f.kind != WORD_NODE && f.kind != WORD_CONTENTS)) return REFER(frames);
    PyObject *hash, *data;
    while (size > 0 && at < stop && row_at(args[0], i, &next, &hash, &data)) {
        if (f.n_older) fetch(&f, i);
        size = frame_row(&f, module, hash, data, i, (uint64_t)at);
        Py_DECREF(hash);
        Py_DECREF(data);
        if (size > 0) {
            at += size;
            i++;
        }
    }
    let_go(&f.maps);
    if (size >= 0 && f.used && (_PyBytes_Resize(&f.part, f.used) < 0 || PyList_Append(args[6], f.part) < 0)) size = -1;
    Py_XDECREF(f.part);
    if (size < 0) return NULL;
    PyObject *items[] = {PyLong_FromSsize_t(i), PyLong_FromSsize_t(at)};
    return tuple_of(2, items);
}

FUNCTION(patched) {
    /* head, hashes, words, i, hash */
    if (nargs != 5 || !PyBytes_CheckExact(args[0]) || !PyBytes_CheckExact(args[1]) || !PyBytes_CheckExact(args[2]) ||
        !PyBytes_Check(args[4]) || PyBytes_GET_SIZE(args[4]) != HASH)
        return REFER(patched);
    Py_ssize_t head = PyBytes_GET_SIZE(args[0]), hashes = PyBytes_GET_SIZE(args[1]), words = PyBytes_GET_SIZE(args[2]);
    Py_ssize_t i = size_of(args[3]);
    if (i < 0 || i >= hashes / HASH || hashes % HASH || (words && words != hashes / HASH * 8) ||
        head > MOST_HASHED || hashes > MOST_HASHED)
        return REFER(patched);
    PyObject *data = PyBytes_FromStringAndSize(NULL, head + hashes);
    PyObject *column = PyBytes_FromStringAndSize(NULL, hashes);
    PyObject *lacking = words ? PyBytes_FromStringAndSize(NULL, words) : Py_NewRef(args[2]), *digest = NULL;
    if (data && column && lacking) {
        memcpy(PyBytes_AS_STRING(column), PyBytes_AS_STRING(args[1]), (size_t)hashes);
        memcpy(PyBytes_AS_STRING(column) + i * HASH, PyBytes_AS_STRING(args[4]), HASH);
        memcpy(PyBytes_AS_STRING(data), PyBytes_AS_STRING(args[0]), (size_t)head);
        memcpy(PyBytes_AS_STRING(data) + head, PyBytes_AS_STRING(column), (size_t)hashes);
        if (words) {
            memcpy(PyBytes_AS_STRING(lacking), PyBytes_AS_STRING(args[2]), (size_t)words);
            memset(PyBytes_AS_STRING(lacking) + 8 * i, 0, 8);
        }
        uint8_t out[BLAKE3_SIZE];
        blake3_digest((const uint8_t *)PyBytes_AS_STRING(data), (size_t)(head + hashes), out);
        digest = PyBytes_FromStringAndSize((const char *)out, BLAKE3_SIZE);
    }
    PyObject *items[] = {digest, data, column, lacking};
    return tuple_of(4, items);
}

PyMethodDef frame_methods[] = {
    METHOD(frame_of, "The bytes of a frame."),
    METHOD(frames, "The bytes of many frames, and where they will lie."),
    METHOD(filled_words, "A column of words without gaps."),
    METHOD(patched, "A node with another hash of one child."),
    METHOD(checked_frame, "What lies in a frame that was found right."),
    METHOD(record_at, "The node that lies in a frame of a map, decoded."),
    METHOD(descend, "What steps lead to, from the frames of nodes in maps."),
    {NULL, NULL, 0, NULL},
};
