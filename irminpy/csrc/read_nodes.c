/* Reading the nodes of a tree proof, and hashing them. */
#include "draft.h"
#include "msgpack.h"

#define MOST_STEP 4096 /* bytes, as in `irminpy/_core.py` */

static int is_ascii(const uint8_t *p, size_t size) {
    uint8_t all = 0;
    for (size_t i = 0; i < size; i++) all |= p[i];
    return all < 0x80;
}

/* Whether steps are legal, ascending, and have the digits of the bucket. */
static int legal_steps(const Draft *d, const Place *place, int width) {
    const uint8_t *step = d->steps, *before = NULL, *lengths = d->lengths;
    size_t length = 0;
    if (memchr(step, '/', d->size) || memchr(step, 0, d->size)) return 0;
    int ascii = is_ascii(step, d->size);
    for (uint32_t i = 0; i < d->n; i++) {
        size_t longer = next_length(&lengths);
        if (!longer || (!ascii && !is_utf8(step, longer))) return 0;
        if (i) {
            int order = memcmp(before, step, length < longer ? length : longer);
            if (order > 0 || (order == 0 && length >= longer)) return 0;
        }
        if (place->level) {
            uint8_t key[HASH];
            blake3_digest(step, longer, key);
            if (!has_digits(key, place, width)) return 0;
        }
        before = step;
        length = longer;
        step += longer;
    }
    return 1;
}

/* 1 if the next node was read, 0 if that is for Python to do, -1 with an error set. */
static int read_flat(Reading *g, int64_t tag, const Place *place) {
    Reader *r = &g->r;
    Draft *d = &g->drafts[g->n_drafts];
    if (tag >> 1 > g->leaf || (uint64_t)tag >> 1 > left(r)) return 0;
    size_t n = (size_t)(tag >> 1), size = 0, directories = 0, contents = 0, metadata = 0;
    if (n > MOST) return 0;
    /* An empty directory that is no root; but limits come first. */
    g->empties |= !n && g->n_drafts;
    d->n = (uint32_t)n;
    d->inner = 0;
    d->place = *place;
    d->count = (int64_t)n;
    d->lengths = r->at;
    for (size_t i = 0; i < n; i++) {
        int64_t length = varint(r);
        if (length < 1 || length > MOST_STEP) return 0;
        size += (size_t)length;
    }
    d->states = take(r, n);
    if (!d->states) return 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t state = d->states[i];
        if (state > 6 || state == 3) return 0;
        if (state == 4)
            directories++;
        else if (reveals(state))
            contents++;
        metadata += kind_of(state) == 2;
    }
    if (size > MOST) return 0;
    d->size = (uint32_t)size;
    d->steps = take(r, size);
    if (!d->steps || !legal_steps(d, place, g->width)) return 0;
    /* n is below 2^31, so that the product does not overflow. */
    d->hashes = take(r, (n - directories - contents) * HASH);
    if (!d->hashes) return 0;
    d->metadata = r->at;
    d->n_metadata = (uint32_t)metadata;
    for (size_t i = 0; i < metadata; i++) {
        int64_t length = varint(r);
        if (length < 0 || length > MOST || !take(r, (size_t)length)) return 0;
    }
    if (contents) {
        if (!grow((void **)&g->values, &g->room_values, g->n_values, contents, sizeof *g->values)) return -1;
        for (size_t i = 0; i < n; i++) {
            if (d->states[i] < 5) continue;
            int64_t longest = varint(r);
            if (longest < 0 || longest > g->longest) return 0;
            Value *value = &g->values[g->n_values];
            value->parent = (uint32_t)g->n_drafts;
            value->at = (uint32_t)i;
            value->size = (size_t)longest;
            value->data = take(r, value->size);
            if (!value->data) return 0;
            g->n_values++;
        }
    }
    if (directories) {
        if ((Py_ssize_t)place->above >= g->depth) return 0;
        Place below = {.parent = (uint32_t)g->n_drafts, .above = place->above + 1};
        if (!grow((void **)&g->places, &g->room_places, g->n_places, directories, sizeof *g->places)) return -1;
        /* The first of them is read first, so it comes last. */
        for (size_t i = n; i--;) {
            if (d->states[i] != 4) continue;
            below.at = (uint32_t)i;
            g->places[g->n_places++] = below;
        }
    }
    return 1;
}

static int read_inner(Reading *g, const Place *place) {
    Reader *r = &g->r;
    Draft *d = &g->drafts[g->n_drafts];
    size_t width = (size_t)(2 * g->fanout + 7) / 8, blinded = 0, revealed = 0;
    if (place->level >= g->levels) return 0;
    d->inner = 1;
    d->n_metadata = 0;
    d->place = *place;
    d->states = take(r, width);
    if (!d->states) return 0;
    for (size_t i = 0; i < 4 * width; i++) {
        unsigned state = bucket_state(d, i);
        if (state == 3 || (state && i >= (size_t)g->fanout)) return 0;
        blinded += state == 1;
        revealed += state == 2;
    }
    d->n = (uint32_t)(blinded + revealed);
    if (!d->n) return 0;
    d->lengths = r->at; /* here these are the counts */
    d->count = 0;
    for (size_t i = 0; i < blinded; i++) {
        int64_t count = varint(r);
        if (count < 1 || count > INT64_MAX - d->count) return 0;
        d->count += count;
    }
    d->hashes = take(r, blinded * HASH);
    if (!d->hashes) return 0;
    if (revealed) {
        if (!grow((void **)&g->places, &g->room_places, g->n_places, revealed, sizeof *g->places)) return -1;
        /* The first of them is read first, so it comes last. */
        for (size_t i = (size_t)g->fanout; i--;)
            if (bucket_state(d, i) == 2) g->places[g->n_places++] = bucket_place(g, g->n_drafts, i);
    }
    return 1;
}

static int read_all(Reading *g) {
    if (!grow((void **)&g->places, &g->room_places, 0, 1, sizeof *g->places)) return -1;
    g->places[g->n_places++] = (Place){0};
    while (g->n_places) {
        Place place = g->places[--g->n_places];
        if (!grow((void **)&g->drafts, &g->room_drafts, g->n_drafts, 1, sizeof *g->drafts)) return -1;
        int64_t tag = varint(&g->r);
        if (tag < 0 || (tag & 1 && tag != 1)) return 0;
        int done = tag & 1 ? read_inner(g, &place) : read_flat(g, tag, &place);
        if (done != 1) return done;
        g->n_drafts++;
        /* None of these is above the bytes of the proof by much. */
        size_t nodes = g->n_drafts + g->n_places;
        if (4 * nodes + g->n_values > (size_t)g->room || nodes + g->n_values > (size_t)g->objects) return BEYOND;
    }
    return !g->empties;
}

/* A place for `size` bytes; what was written there before is lost. */
static uint8_t *scratch(Reading *g, size_t size) {
    if (g->room_scratch < size && !grow((void **)&g->scratch, &g->room_scratch, 0, size, 1)) return NULL;
    return g->scratch;
}

/* {hash: bytes} of all values, their hashes joined in `found`; NULL with no error set if two are the same. */
static PyObject *hash_values(Reading *g, uint8_t *found) {
    PyObject *contents = PyDict_New();
    for (size_t i = 0; contents && i < g->n_values; i++) {
        const Value *value = &g->values[i];
        uint8_t *p = scratch(g, 1 + value->size);
        PyObject *hash = NULL, *data = NULL;
        if (p) {
            p[0] = 'B';
            memcpy(p + 1, value->data, value->size);
            blake3_digest(p, 1 + value->size, found + i * HASH);
            hash = PyBytes_FromStringAndSize((const char *)found + i * HASH, HASH);
            data = PyBytes_FromStringAndSize((const char *)value->data, (Py_ssize_t)value->size);
        }
        int done = hash && data && PyDict_SetItem(contents, hash, data) == 0;
        Py_XDECREF(hash);
        Py_XDECREF(data);
        if (!done || PyDict_GET_SIZE(contents) != (Py_ssize_t)i + 1) Py_CLEAR(contents);
    }
    return contents;
}

/* An item of a tuple of the class `type`, see `plain_tuple`. */
static PyObject *record(PyTypeObject *type, Py_ssize_t n, PyObject *const *items) {
    int whole = 1;
    for (Py_ssize_t i = 0; i < n; i++) whole &= items[i] != NULL;
    PyObject *made = whole ? type->tp_alloc(type, n) : NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (made)
            PyTuple_SET_ITEM(made, i, items[i]);
        else
            Py_XDECREF(items[i]);
    }
    return made;
}

static PyObject *bytes_of(const uint8_t *data, size_t size) {
    return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
}

/* Nodes of up to so many entries stay bytes until somebody asks for them: to look one step up in them takes no longer than
 * a microsecond. */
#define FEW 256

/* The decoded flat node of which `d` says the steps. */
static PyObject *decoded(const Reading *g, const Draft *d, const uint8_t *kind, const uint8_t *hashes, PyTypeObject *type) {
    PyObject *index = PyDict_New();
    const char *step = (const char *)d->steps;
    const uint8_t *lengths = d->lengths;
    for (size_t i = 0; index && i < d->n; i++) {
        size_t length = next_length(&lengths);
        PyObject *text = PyUnicode_DecodeUTF8(step, (Py_ssize_t)length, "strict");
        PyObject *position = text ? PyLong_FromSize_t(i) : NULL;
        if (!position || PyDict_SetItem(index, text, position) < 0) Py_CLEAR(index);
        Py_XDECREF(text);
        Py_XDECREF(position);
        step += length;
    }
    PyObject *metadata = PyDict_New();
    Reader r = {d->metadata, g->r.end};
    for (size_t i = 0; metadata && d->n_metadata && i < d->n; i++) {
        if (kind[i] != 2) continue;
        size_t length = (size_t)varint(&r);
        PyObject *position = PyLong_FromSize_t(i), *item = position ? bytes_of(take(&r, length), length) : NULL;
        if (!item || PyDict_SetItem(metadata, position, item) < 0) Py_CLEAR(metadata);
        Py_XDECREF(position);
        Py_XDECREF(item);
    }
    PyObject *items[] = {
        index, bytes_of(kind, d->n), bytes_of(hashes, d->n * HASH), metadata, bytes_of(NULL, 0), bytes_of(NULL, 0),
        bytes_of(NULL, 0), PyLong_FromLong(0),
    };
    return record(type, 8, items);
}

/* The canonical bytes of the flat node, whose hashes are all known now, or the node if it has many entries; and its own hash.
 * NULL with no error set if it is none. */
static PyObject *make_flat(Reading *g, Draft *d, const uint8_t *hashes, PyTypeObject *type) {
    size_t n = d->n, size = 2 + array_head(n) + bin_head(n) + n + bin_head(n * HASH) + n * HASH;
    const uint8_t *lengths = d->lengths;
    for (size_t i = 0; i < n; i++) {
        size_t length = next_length(&lengths);
        size += str_head(length) + length;
        if (!kind_of(d->states[i]) && !memcmp(hashes + i * HASH, g->empty, HASH)) return NULL;
    }
    Reader metadata = {d->metadata, g->r.end};
    if (d->n_metadata) size += array_head(d->n_metadata);
    for (size_t i = 0; i < d->n_metadata; i++) {
        size_t length = (size_t)varint(&metadata);
        metadata.at += length;
        size += bin_head(length) + length;
    }
    PyObject *data = n <= FEW ? PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size) : NULL;
    uint8_t *start = data ? (uint8_t *)PyBytes_AS_STRING(data) : n > FEW ? scratch(g, size) : NULL, *p = start;
    const char *step = (const char *)d->steps;
    if (!p) return NULL;
    *p++ = 'N';
    p = put_array(put_array(p, d->n_metadata ? 4 : 3), n);
    lengths = d->lengths;
    for (size_t i = 0; i < n; i++) {
        size_t length = next_length(&lengths);
        p = put_str(p, step, length);
        step += length;
    }
    p = put_bin_head(p, n);
    const uint8_t *kinds = p;
    for (size_t i = 0; i < n; i++) *p++ = (uint8_t)kind_of(d->states[i]);
    p = put_bin(p, (const char *)hashes, n * HASH);
    if (d->n_metadata) p = put_array(p, d->n_metadata);
    metadata.at = d->metadata;
    for (size_t i = 0; i < d->n_metadata; i++) {
        size_t length = (size_t)varint(&metadata);
        p = put_bin(p, (const char *)take(&metadata, length), length);
    }
    blake3_digest(start, size, d->hash);
    return data ? data : decoded(g, d, kinds, hashes, type);
}

/* As `make_flat`, the canonical bytes of an inner node, whose counts are known, too. */
static PyObject *make_inner(Reading *g, Draft *d, const uint8_t *digits, const int64_t *numbers, const uint8_t *hashes) {
    uint64_t fanout = (uint64_t)g->fanout, leaf = (uint64_t)g->leaf;
    size_t k = d->n, size = 2 + count_size(fanout) + count_size(leaf) + count_size(d->place.level);
    size += bin_head(k) + k + array_head(k) + bin_head(k * HASH) + k * HASH;
    int64_t total = 0;
    for (size_t i = 0; i < k; i++) {
        if (numbers[i] < 1 || numbers[i] > INT64_MAX - total) return NULL;
        total += numbers[i];
        size += count_size((uint64_t)numbers[i]);
        if (!memcmp(hashes + i * HASH, g->empty, HASH)) return NULL;
    }
    if (total <= g->leaf) return NULL;
    d->count = total;
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!data) return NULL;
    uint8_t *start = (uint8_t *)PyBytes_AS_STRING(data), *p = start;
    *p++ = 'I';
    p = put_count(put_count(put_array(p, 6), fanout), leaf);
    p = put_bin(put_count(p, d->place.level), (const char *)digits, k);
    p = put_array(p, k);
    for (size_t i = 0; i < k; i++) p = put_count(p, (uint64_t)numbers[i]);
    put_bin(p, (const char *)hashes, k * HASH);
    blake3_digest(start, size, d->hash);
    return data;
}

/* {hash: node, or its bytes} from the last to the first; NULL with no error set if one of them is none. `found` are the hashes of the
 * values. */
static PyObject *hash_nodes(Reading *g, const uint8_t *found, PyTypeObject *flat) {
    PyObject *nodes = PyDict_New();
    size_t widest = 0, n_waiting = 0, value = g->n_values;
    for (size_t i = 0; i < g->n_drafts; i++)
        if (g->drafts[i].n > widest) widest = g->drafts[i].n;
    /* The nodes that nothing has claimed yet: the first one is the last. Then the columns of one node. */
    uint32_t *waiting = PyMem_Malloc((g->n_drafts + 1) * sizeof *waiting);
    uint8_t *hashes = PyMem_Malloc((widest + 1) * HASH);
    int64_t numbers[256];
    uint8_t digits[256];
    if (nodes && (!waiting || !hashes)) {
        PyErr_NoMemory();
        Py_CLEAR(nodes);
    }
    for (size_t number = g->n_drafts; nodes && number--;) {
        Draft *d = &g->drafts[number];
        const uint8_t *blinded = d->hashes;
        PyObject *made = NULL;
        if (d->inner) {
            Reader counts = {d->lengths, g->r.end};
            size_t k = 0;
            for (size_t i = 0; i < (size_t)g->fanout; i++) {
                unsigned state = bucket_state(d, i);
                if (!state) continue;
                digits[k] = (uint8_t)i;
                if (state == 1) {
                    numbers[k] = varint(&counts);
                    memcpy(hashes + k * HASH, blinded, HASH);
                    blinded += HASH;
                } else {
                    const Draft *child = &g->drafts[waiting[--n_waiting]];
                    numbers[k] = child->count;
                    memcpy(hashes + k * HASH, child->hash, HASH);
                }
                k++;
            }
            made = make_inner(g, d, digits, numbers, hashes);
        } else {
            size_t contents = 0;
            for (uint32_t i = 0; i < d->n; i++) contents += d->states[i] > 4;
            value -= contents;
            const uint8_t *own = found + value * HASH;
            for (uint32_t i = 0; i < d->n; i++) {
                const uint8_t **from = d->states[i] > 4 ? &own : &blinded;
                if (d->states[i] == 4) {
                    memcpy(hashes + (size_t)i * HASH, g->drafts[waiting[--n_waiting]].hash, HASH);
                } else {
                    memcpy(hashes + (size_t)i * HASH, *from, HASH);
                    *from += HASH;
                }
            }
            made = make_flat(g, d, hashes, flat);
        }
        PyObject *hash = made ? bytes_of(d->hash, HASH) : NULL;
        int done = hash && PyDict_SetItem(nodes, hash, made) == 0;
        Py_XDECREF(made);
        Py_XDECREF(hash);
        waiting[n_waiting++] = (uint32_t)number;
        if (!done || PyDict_GET_SIZE(nodes) != (Py_ssize_t)(g->n_drafts - number)) Py_CLEAR(nodes);
    }
    PyMem_Free(waiting);
    PyMem_Free(hashes);
    return nodes;
}

/* {metadata: None}, of all entries that have some. */
static PyObject *all_metadata(const Reading *g) {
    PyObject *found = PyDict_New();
    for (size_t number = 0; found && number < g->n_drafts; number++) {
        const Draft *d = &g->drafts[number];
        Reader r = {d->metadata, g->r.end};
        for (size_t i = 0; found && i < d->n_metadata; i++) {
            size_t length = (size_t)varint(&r);
            PyObject *item = bytes_of(take(&r, length), length);
            if (!item || PyDict_SetItem(found, item, Py_None) < 0) Py_CLEAR(found);
            Py_XDECREF(item);
        }
    }
    return found;
}

/* read_nodes(data, at, fanout, leaf, levels, empty, depth, room, objects, longest, flat) */
FUNCTION(read_nodes) {
    if (nargs != 11 || !PyBytes_CheckExact(args[0]) || PyBytes_GET_SIZE(args[0]) > MOST || !PyBytes_CheckExact(args[5]) ||
        PyBytes_GET_SIZE(args[5]) != HASH || !plain_tuple(args[10]))
        return REFER(read_nodes);
    Py_ssize_t at = size_of(args[1]), size = PyBytes_GET_SIZE(args[0]);
    Reading g = {
        .fanout = size_of(args[2]),
        .leaf = size_of(args[3]),
        .levels = size_of(args[4]),
        .depth = size_of(args[6]),
        .room = size_of(args[7]),
        .objects = size_of(args[8]),
        .longest = size_of(args[9]),
        .empty = (const uint8_t *)PyBytes_AS_STRING(args[5]),
    };
    if (at < 0 || at > size || g.fanout < 2 || g.fanout > 256 || g.leaf < 0 || g.levels < 0 || g.depth < 0 ||
        g.room < 0 || g.objects < 0 || g.longest < 0)
        return REFER(read_nodes);
    while (g.fanout >> g.width > 1) g.width++;
    if (g.fanout != (Py_ssize_t)1 << g.width || g.levels > 8 * HASH / g.width) return REFER(read_nodes);
    const uint8_t *start = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    g.r.at = start + at;
    g.r.end = start + size;
    PyObject *contents = NULL, *nodes = NULL, *answer = NULL;
    uint8_t *found = NULL;
    int done = read_all(&g);
    if (done == 1) {
        found = PyMem_Malloc((g.n_values + 1) * HASH);
        if (!found)
            PyErr_NoMemory();
        else if ((contents = hash_values(&g, found)) &&
                 (nodes = hash_nodes(&g, found, (PyTypeObject *)args[10]))) {
            PyObject *metadata = all_metadata(&g);
            int odd = metadata ? shared_oddly(&g, found) : -1;
            if (odd >= 0)
                answer = Py_BuildValue(
                    "ny#OOiO", (Py_ssize_t)(g.r.at - start), (const char *)g.drafts[0].hash, (Py_ssize_t)HASH, nodes,
                    contents, odd, metadata
                );
            Py_XDECREF(metadata);
        }
    }
    Py_XDECREF(contents);
    Py_XDECREF(nodes);
    PyMem_Free(found);
    PyMem_Free(g.drafts);
    PyMem_Free(g.places);
    PyMem_Free(g.values);
    PyMem_Free(g.scratch);
    if (!answer && !PyErr_Occurred()) return refused_at(done, g.r.at - start);
    return answer;
}

PyMethodDef read_nodes_methods[] = {
    METHOD(read_nodes, "The nodes of a tree proof, hashed and checked."),
    {NULL, NULL, 0, NULL},
};
