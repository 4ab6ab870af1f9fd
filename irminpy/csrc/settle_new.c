/* Hashing a staged directory that lies on no other: all of it is new (irminpy/tree/settle.py).
 *
 * As in settle.c, nothing is told before all is made, so that Python may begin anew. */
#include "plant.h"

#define MOST_ABOVE 64 /* directories above one, and levels of one: deeper ones are for Python */

/* In all that follows: 1 if it is done, 0 if that is for Python to do, -1 with an error set. */

/* The object `data` of `n` children, whose words are those of the `rows` or 0, goes among the nodes; its hash. Takes the
 * reference. */
static int put_object(Planting *p, PyObject *data, Entry **rows, size_t n, uint8_t hash[HASH]) {
    PyObject *name = NULL;
    if (data && PyBytes_GET_SIZE(data) <= MOST_HASHED) {
        blake3_digest((const uint8_t *)PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), hash);
        name = PyBytes_FromStringAndSize((const char *)hash, HASH);
    } else if (data) {
        name = PyObject_CallOneArg(p->state->reference[REF_digest], data);
        if (name && !(PyBytes_CheckExact(name) && PyBytes_GET_SIZE(name) == HASH)) {
            Py_CLEAR(name);
            PyErr_BadInternalCall();
        }
        if (name) memcpy(hash, PyBytes_AS_STRING(name), HASH);
    }
    int done = name && PyDict_SetItem(p->nodes, name, data) == 0 ? 1 : -1;
    if (done == 1 && p->hints) {
        PyObject *words = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(8 * n));
        for (size_t i = 0; words && i < n; i++) put_u64((uint8_t *)PyBytes_AS_STRING(words) + 8 * i, rows ? rows[i]->word : 0);
        if (!words || PyDict_SetItem(p->hints, name, words) < 0) done = -1;
        Py_XDECREF(words);
    }
    Py_XDECREF(name);
    Py_XDECREF(data);
    return done;
}

/* In the order of the bytes, which is that of Python's texts; no two are the same. */
static int compare_steps(const void *left, const void *right) {
    const Entry *a = *(Entry *const *)left, *b = *(Entry *const *)right;
    int order = memcmp(a->text, b->text, a->size < b->size ? a->size : b->size);
    return order ? order : (a->size > b->size) - (a->size < b->size);
}

void plant_sort(Entry **rows, size_t n) { qsort(rows, n, sizeof *rows, compare_steps); }

/* The flat object of the `n` rows. */
static int put_flat(Planting *p, Entry **rows, size_t n, uint8_t hash[HASH]) {
    size_t steps = 0;
    for (size_t i = 0; i < n; i++) {
        steps += str_head(rows[i]->size) + rows[i]->size;
        if (steps > MOST) return 0;
    }
    plant_sort(rows, n);
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(flat_head(n, steps) + n * HASH));
    if (!data) return -1;
    uint8_t *at = (uint8_t *)PyBytes_AS_STRING(data);
    *at++ = 'N';
    at = put_array(put_array(at, 3), n);
    for (size_t i = 0; i < n; i++) at = put_str(at, rows[i]->text, rows[i]->size);
    at = put_bin_head(at, n);
    for (size_t i = 0; i < n; i++) *at++ = rows[i]->kind;
    at = put_bin_head(at, n * HASH);
    for (size_t i = 0; i < n; i++, at += HASH) memcpy(at, rows[i]->hash, HASH);
    return put_object(p, data, rows, n, hash);
}

/* The inner node of these buckets, of which there is at least one. */
static int put_inner(Planting *p, Py_ssize_t depth, const uint8_t *buckets, const size_t *counts,
                     const uint8_t (*hashes)[HASH], size_t n, uint8_t hash[HASH]) {
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(inner_head(p, depth, counts, n) + n * HASH));
    if (!data) return -1;
    memcpy(put_inner_head(p, depth, buckets, counts, n, (uint8_t *)PyBytes_AS_STRING(data)), hashes, n * HASH);
    return put_object(p, data, NULL, n, hash);
}

int plant_rows(Planting *p, Entry **rows, size_t n, Py_ssize_t depth, uint8_t hash[HASH]) {
    if (n <= (size_t)(depth ? p->leaf : p->flat)) return put_flat(p, rows, n, hash);
    if (depth >= 8 * HASH / p->width || depth >= MOST_ABOVE) return 0;
    size_t begins[257] = {0}, counts[256], k = 0;
    uint8_t buckets[256];
    Entry **sorted = PyMem_New(Entry *, n);
    uint8_t(*hashes)[HASH] = PyMem_Malloc((size_t)p->fanout * HASH);
    int done = sorted && hashes ? 1 : (PyErr_NoMemory(), -1);
    for (size_t i = 0; done == 1 && i < n; i++) begins[digit_of(rows[i]->key, depth, p->width) + 1]++;
    for (Py_ssize_t digit = 0; digit < p->fanout; digit++) begins[digit + 1] += begins[digit];
    for (size_t i = 0; done == 1 && i < n; i++) sorted[begins[digit_of(rows[i]->key, depth, p->width)]++] = rows[i];
    /* Now each of `begins` is where its rows end. */
    for (Py_ssize_t digit = 0; done == 1 && digit < p->fanout; digit++) {
        size_t begin = digit ? begins[digit - 1] : 0, count = begins[digit] - begin;
        if (!count) continue;
        buckets[k] = (uint8_t)digit;
        counts[k] = count;
        done = plant_rows(p, sorted + begin, count, depth + 1, hashes[k]);
        k++;
    }
    if (done == 1) done = put_inner(p, depth, buckets, counts, (const uint8_t(*)[HASH])hashes, k, hash);
    PyMem_Free(sorted);
    PyMem_Free(hashes);
    return done;
}

int plant_children(Planting *p, PyObject *staged, PyObject **now) {
    State *state = p->state;
    PyObject *base = ATTRIBUTE(staged, base), *line = ATTRIBUTE(staged, line);
    *now = ATTRIBUTE(staged, now);
    int done = base && line && *now ? base == Py_None && line == p->line && PyDict_CheckExact(*now) : -1;
    Py_XDECREF(base);
    Py_XDECREF(line);
    if (done != 1) Py_CLEAR(*now);
    return done;
}

/* The hash of what the entry leads to. `*stored` is the directory, where it is kept. */
static int put_child(Planting *p, Entry *entry, int above, PyObject **stored) {
    PyObject *child = entry->child, *now = NULL;
    if (PyBytes_CheckExact(child)) {
        PyObject *hash, *object = PyBytes_GET_SIZE(child) < MOST ? contents_of(p->state, child, &hash) : NULL;
        if (!object) return PyErr_Occurred() ? -1 : 0;
        memcpy(entry->hash, PyBytes_AS_STRING(hash), HASH);
        int done = PyDict_SetItem(p->contents, hash, object) == 0 ? 1 : -1;
        Py_DECREF(hash);
        Py_DECREF(object);
        entry->kind = 1;
        p->values++;
        return done;
    }
    if (PyDict_CheckExact(child)) return plant_directory(p, child, above + 1, p->keep, entry->hash, stored);
    int done = Py_TYPE(child) == p->staged ? plant_children(p, child, &now) : 0;
    if (done == 1) done = plant_directory(p, now, above + 1, p->keep, entry->hash, stored);
    Py_XDECREF(now);
    return done;
}

int plant_directory(Planting *p, PyObject *now, int above, int kept, uint8_t hash[HASH], PyObject **stored) {
    Py_ssize_t n = PyDict_GET_SIZE(now), place = 0;
    if (!n || n > MOST || above > MOST_ABOVE) return 0;
    Entry *entries = PyMem_New(Entry, n), **rows = PyMem_New(Entry *, n);
    PyObject *step, *child, *children = kept ? PyDict_New() : NULL;
    int done = entries && rows && (children || !kept) ? 1 : (PyErr_NoMemory(), -1);
    Py_ssize_t held = 0;
    /* Hashing what is large runs Python, so that all is taken out of the dict first. */
    while (done == 1 && held < n && PyDict_Next(now, &place, &step, &child)) {
        Entry *entry = &entries[held];
        Py_ssize_t size;
        const char *text = utf8(step, &size);
        if (!text) {
            done = 0;
            break;
        }
        rows[held++] = entry;
        *entry = (Entry){.step = Py_NewRef(step), .child = Py_NewRef(child), .text = text, .size = (size_t)size};
        if (size > MOST_HASHED) done = 0;
    }
    for (Py_ssize_t i = 0; done == 1 && i < held; i++) {
        PyObject *below = NULL;
        done = put_child(p, &entries[i], above, &below);
        if (done == 1 && kept && PyDict_SetItem(children, entries[i].step, below ? below : entries[i].child) < 0) done = -1;
        Py_XDECREF(below);
    }
    p->directories++;
    if (held > p->flat)
        for (Py_ssize_t i = 0; i < held; i++) hash_step(rows[i]);
    if (done == 1) done = plant_rows(p, rows, (size_t)held, 0, hash);
    if (done == 1 && kept) {
        PyObject *name = PyBytes_FromStringAndSize((const char *)hash, HASH), *word = PyLong_FromLong(0);
        *stored = name && word ? new_stored(p->state, p->stored, name, p->pool, children, word) : NULL;
        if (!*stored) done = -1;
        Py_XDECREF(name);
        Py_XDECREF(word);
    }
    for (Py_ssize_t i = 0; i < held; i++) {
        Py_DECREF(entries[i].step);
        Py_DECREF(entries[i].child);
    }
    PyMem_Free(entries);
    PyMem_Free(rows);
    Py_XDECREF(children);
    return done;
}

/* settle_new(staged, pool, flat, leaf, width, keep, Staged, Stored) */
FUNCTION(settle_new) {
    Py_ssize_t width;
    if (nargs != 8 || (width = size_of(args[4])) < 1 || width > 8 || Py_TYPE(args[0]) != (PyTypeObject *)args[6] ||
        !PyType_Check(args[7]))
        return REFER(settle_new);
    State *state = state_of(module);
    Planting p = {
        .state = state,
        .staged = (PyTypeObject *)args[6],
        .stored = (PyTypeObject *)args[7],
        .pool = args[1],
        .fanout = (Py_ssize_t)1 << width,
        .flat = size_of(args[2]),
        .leaf = size_of(args[3]),
        .width = (int)width,
        .keep = args[5] == Py_True,
    };
    if (p.flat < 1 || p.leaf < 1 || p.flat > 1 << 24 || p.leaf > 1 << 24)
        return REFER(settle_new);
    learn(state, LAYOUT_STAGED, p.staged);
    learn(state, LAYOUT_STORED, p.stored);
    PyObject *now = NULL, *stored = NULL, *answer = NULL;
    uint8_t hash[HASH];
    p.line = ATTRIBUTE(args[0], line);
    p.contents = PyDict_New();
    p.nodes = PyDict_New();
    int done = p.line && p.contents && p.nodes ? plant_children(&p, args[0], &now) : -1;
    if (done == 1) done = plant_directory(&p, now, 0, p.keep, hash, &stored);
    if (done == 1) {
        PyObject *items[] = {
            PyBytes_FromStringAndSize((const char *)hash, HASH), stored ? Py_NewRef(stored) : Py_NewRef(Py_None),
            Py_NewRef(p.contents), Py_NewRef(p.nodes), PyLong_FromSsize_t(p.values), PyLong_FromSsize_t(p.directories),
        };
        answer = tuple_of(6, items);
    }
    Py_XDECREF(p.line);
    Py_XDECREF(p.contents);
    Py_XDECREF(p.nodes);
    Py_XDECREF(now);
    Py_XDECREF(stored);
    return done ? answer : REFER(settle_new);
}

PyMethodDef settle_new_methods[] = {
    METHOD(settle_new, "A staged directory with its hash that lies on no other."),
    {NULL, NULL, 0, NULL},
};
