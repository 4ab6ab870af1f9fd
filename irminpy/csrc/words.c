/* A map from hashes to words, as `irminpy/_rows.py` has it: rows of hash and word in the order in which they came, and slots
 * that say which row a hash has. What a dict would hold as two objects for each, all over the memory, lies side by side. */
#include "core.h"
#include "crc.h"
#include "words.h"

#include <stddef.h>
#include <stdlib.h>
#include <structmember.h>

#define MOST_SIZE 1024
#define WORD 8
#define CRC 4
#define LEAST 64
#define MOST ((size_t)1 << 30)

/* The processor may begin to fetch what lies at `p`. */
#if defined(__GNUC__)
#define FETCH(p) __builtin_prefetch(p)
#else
#define FETCH(p) ((void)(p))
#endif
#define AHEAD 12

typedef struct {
    PyObject_HEAD
    PyObject *check; /* the function that raises what is to be raised */
    Py_ssize_t size; /* of a hash */
    size_t count, room;
    uint8_t *rows;
    uint32_t *slots; /* 0, or the number of a row, from 1; INVARIANT: at least half of them are 0 */
    size_t mask;
    uint64_t seed; /* so that nobody can choose hashes that meet in few slots */
} Words;

static inline size_t width_of(const Words *self) { return (size_t)self->size + WORD; }

static inline uint64_t mixed(const Words *self, const uint8_t *hash) {
    uint64_t x = self->seed;
    Py_ssize_t i = 0;
    for (; i + 8 <= self->size; i += 8) {
        uint64_t part;
        memcpy(&part, hash + i, 8);
        x = (x ^ part) * 0x9e3779b97f4a7c15u;
        x ^= x >> 29;
    }
    for (; i < self->size; i++) x = (x ^ hash[i]) * 0x9e3779b97f4a7c15u;
    return x ^ x >> 32;
}

/* The slot of `hash`, or the one where it belongs. */
static inline uint32_t *slot_at(const Words *self, const uint8_t *hash, uint64_t mix) {
    size_t at = (size_t)mix & self->mask, width = width_of(self);
    while (self->slots[at] && memcmp(self->rows + (self->slots[at] - 1) * width, hash, (size_t)self->size))
        at = (at + 1) & self->mask;
    return self->slots + at;
}

/* Makes room for `more`. 0, or -1 with an error set, and nothing changed. */
static int grow(Words *self, size_t more) {
    size_t need = self->count + more;
    if (more > MOST || need > MOST) return PyErr_NoMemory(), -1;
    if (need > self->room) {
        size_t room = self->room + self->room / 2;
        if (room < need) room = need;
        if (room > (size_t)PY_SSIZE_T_MAX / width_of(self)) return PyErr_NoMemory(), -1;
        uint8_t *rows = PyMem_Realloc(self->rows, room * width_of(self));
        if (!rows) return PyErr_NoMemory(), -1;
        self->rows = rows;
        self->room = room;
    }
    size_t slots = self->mask + 1;
    if (need * 2 <= slots) return 0;
    while (slots < need * 2) slots *= 4;
    uint32_t *made = PyMem_Calloc(slots, sizeof *made);
    if (!made) return PyErr_NoMemory(), -1;
    PyMem_Free(self->slots);
    self->slots = made;
    self->mask = slots - 1;
    for (size_t i = 0; i < self->count; i++) {
        size_t at = (size_t)mixed(self, self->rows + i * width_of(self)) & self->mask;
        while (made[at]) at = (at + 1) & self->mask;
        made[at] = (uint32_t)i + 1;
    }
    return 0;
}

static void words_dealloc(Words *self) {
    PyTypeObject *type = Py_TYPE(self);
    PyMem_Free(self->rows);
    PyMem_Free(self->slots);
    Py_XDECREF(self->check);
    type->tp_free((PyObject *)self);
    Py_DECREF(type);
}

static PyObject *words_new(PyTypeObject *type, PyObject *args, PyObject *kwargs) {
    static char *names[] = {"size", NULL};
    Py_ssize_t size;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "n", names, &size)) return NULL;
    PyObject *module = PyType_GetModule(type);
    if (!module) return NULL;
    PyObject *check = state_of(module)->reference[REF_check_words];
    if (size < 1 || size > MOST_SIZE) return PyObject_CallFunction(check, "{}n", size);
    Words *self = (Words *)type->tp_alloc(type, 0);
    if (!self) return NULL;
    self->check = Py_NewRef(check);
    self->size = size;
    self->slots = PyMem_Calloc(LEAST, sizeof *self->slots);
    self->mask = LEAST - 1;
    /* Python hashes texts with a secret of the process. */
    self->seed = (uint64_t)PyObject_Hash(state_of(module)->name[NAME_word]) * 0x9e3779b97f4a7c15u;
    if (!self->slots) {
        Py_DECREF(self);
        return PyErr_NoMemory();
    }
    return (PyObject *)self;
}

/* Whether these are a hash and a word; if not, nothing is raised yet. */
static int usual(const Words *self, PyObject *hash, PyObject *word) {
    if (!PyBytes_Check(hash) || PyBytes_GET_SIZE(hash) != self->size || !PyLong_Check(word)) return 0;
    uint64_t number = PyLong_AsUnsignedLongLong(word);
    if (!PyErr_Occurred()) return number != 0;
    PyErr_Clear();
    return 0;
}

static PyObject *words_add(Words *self, PyObject *words) {
    PyObject *hash, *word;
    int all = PyDict_Check(words);
    for (Py_ssize_t at = 0; all && PyDict_Next(words, &at, &hash, &word);) all = usual(self, hash, word);
    if (!all) {
        PyObject *none = PyObject_CallFunction(self->check, "On", words, self->size);
        if (none) PyErr_Format(PyExc_TypeError, "add() takes a dict of bytes and int");
        Py_XDECREF(none);
        return NULL;
    }
    if (grow(self, (size_t)PyDict_GET_SIZE(words)) < 0) return NULL;
    Py_ssize_t soon = 0;
    for (int i = 0; i < AHEAD; i++) PyDict_Next(words, &soon, &hash, &word);
    for (Py_ssize_t at = 0; PyDict_Next(words, &at, &hash, &word);) {
        PyObject *later, *number;
        if (PyDict_Next(words, &soon, &later, &number))
            FETCH(self->slots + ((size_t)mixed(self, (const uint8_t *)PyBytes_AS_STRING(later)) & self->mask));
        const uint8_t *p = (const uint8_t *)PyBytes_AS_STRING(hash);
        uint32_t *slot = slot_at(self, p, mixed(self, p));
        if (!*slot) {
            memcpy(self->rows + self->count * width_of(self), p, (size_t)self->size);
            *slot = (uint32_t)++self->count;
        }
        put_u64(self->rows + (*slot - 1) * width_of(self) + self->size, PyLong_AsUnsignedLongLong(word));
    }
    Py_RETURN_NONE;
}

/* The word of what may be a hash, or 0. */
static uint64_t word_of(const Words *self, PyObject *hash) {
    if (!PyBytes_Check(hash) || PyBytes_GET_SIZE(hash) != self->size) return 0;
    const uint8_t *p = (const uint8_t *)PyBytes_AS_STRING(hash);
    uint32_t slot = *slot_at(self, p, mixed(self, p));
    return slot ? u64(self->rows + (slot - 1) * width_of(self) + self->size) : 0;
}

static PyObject *words_find(Words *self, PyObject *hash) { return PyLong_FromUnsignedLongLong(word_of(self, hash)); }

static void soon_asked(const Words *self, PyObject *hash) {
    if (PyBytes_Check(hash) && PyBytes_GET_SIZE(hash) == self->size)
        FETCH(self->slots + ((size_t)mixed(self, (const uint8_t *)PyBytes_AS_STRING(hash)) & self->mask));
}

/* Binds `hash` to its word in `found` if it has one: 0, or -1 with an error set. */
static int look(const Words *self, PyObject *hash, PyObject *found) {
    uint64_t number = word_of(self, hash);
    if (!number) return 0;
    PyObject *word = PyLong_FromUnsignedLongLong(number);
    int done = word ? PyDict_SetItem(found, hash, word) : -1;
    Py_XDECREF(word);
    return done;
}

static PyObject *words_find_many(Words *self, PyObject *hashes) {
    PyObject *found = PyDict_New();
    if (!found || !self->count) return found;
    if (PyDict_CheckExact(hashes)) {
        PyObject *hash, *later;
        Py_ssize_t at = 0, soon = 0;
        for (int i = 0; i < AHEAD; i++) PyDict_Next(hashes, &soon, &hash, NULL);
        while (PyDict_Next(hashes, &at, &hash, NULL)) {
            if (PyDict_Next(hashes, &soon, &later, NULL)) soon_asked(self, later);
            if (look(self, hash, found) < 0) goto failed;
        }
        return found;
    }
    PyObject *iterator = PyObject_GetIter(hashes);
    if (!iterator) goto failed;
    for (PyObject *hash; (hash = PyIter_Next(iterator));) {
        int done = look(self, hash, found);
        Py_DECREF(hash);
        if (done < 0) break;
    }
    Py_DECREF(iterator);
    if (!PyErr_Occurred()) return found;
failed:
    Py_DECREF(found);
    return NULL;
}

/* All hashes, with their words or without, in the order in which they came. */
static PyObject *listed(const Words *self, int pairs) {
    size_t count = self->count; /* making objects may run anything, which may add */
    PyObject *all = PyList_New((Py_ssize_t)count);
    for (size_t i = 0; all && i < count; i++) {
        const uint8_t *row = self->rows + i * width_of(self);
        PyObject *one = pairs ? Py_BuildValue("y#K", row, self->size, (unsigned long long)u64(row + self->size))
                              : PyBytes_FromStringAndSize((const char *)row, self->size);
        if (one)
            PyList_SET_ITEM(all, (Py_ssize_t)i, one);
        else
            Py_CLEAR(all);
    }
    return all;
}

static PyObject *words_items(Words *self, PyObject *Py_UNUSED(none)) { return listed(self, 1); }

static PyObject *words_hashes(Words *self, PyObject *Py_UNUSED(none)) { return listed(self, 0); }

static Py_ssize_t words_length(Words *self) { return (Py_ssize_t)self->count; }

/* -- rows of an index -------------------------------------------------------------------------------------------------- */

/* A row, and the first eight bytes of its hash as a number that sorts as they do. */
typedef struct {
    uint64_t first;
    const uint8_t *hash;
    size_t size;
} Row;

static int compare(const void *a, const void *b) {
    const Row *one = a, *other = b;
    if (one->first != other->first) return one->first < other->first ? -1 : 1;
    return memcmp(one->hash, other->hash, one->size);
}

static uint64_t first_of(const uint8_t *hash, size_t size) {
    uint64_t first = 0;
    for (size_t i = 0; i < 8; i++) first = first << 8 | (i < size ? hash[i] : 0);
    return first;
}

/* Sorts `rows` into `out` by the first bits, then each of the few that share them: hashes have any bits, so that these are
 * few, and where they are not, it takes as long as sorting takes. 0 without memory. */
static int sort(const Row *rows, size_t n, Row *out) {
    int bits = 1;
    while (bits < 16 && (size_t)1 << bits < n) bits++;
    size_t buckets = (size_t)1 << bits, *ends = calloc(buckets + 1, sizeof *ends);
    if (!ends) return 0;
    for (size_t i = 0; i < n; i++) ends[(rows[i].first >> (64 - bits)) + 1]++;
    for (size_t i = 0; i < buckets; i++) ends[i + 1] += ends[i];
    /* Each number was where its bucket begins, and is where it ends when all have come. */
    for (size_t i = 0; i < n; i++) out[ends[rows[i].first >> (64 - bits)]++] = rows[i];
    for (size_t i = 0, start = 0; i < buckets; start = ends[i++])
        if (ends[i] - start > 1) qsort(out + start, ends[i] - start, sizeof *out, compare);
    free(ends);
    return 1;
}

/* The rows `raw`, of hash and word, with `prefix` before and a checksum behind each, ascending. 0 without memory. */
static int write_rows(const uint8_t *raw, size_t n, size_t size, const uint8_t *prefix, size_t before, uint8_t *out) {
    Row *rows = malloc(2 * n * sizeof *rows), *sorted = rows + n;
    if (!rows) return 0;
    for (size_t i = 0; i < n; i++, raw += size + WORD) rows[i] = (Row){first_of(raw, size), raw, size};
    int done = sort(rows, n, sorted);
    for (size_t i = 0; done && i < n; i++) {
        if (i + AHEAD < n) FETCH(sorted[i + AHEAD].hash); /* which lies anywhere */
        memcpy(out, prefix, before);
        copy_few(out + before, sorted[i].hash, size + WORD);
        uint32_t crc = crc_of(out, before + size + WORD, 0);
        out += before + size + WORD;
        for (int k = 0; k < CRC; k++) *out++ = (uint8_t)(crc >> 8 * k);
    }
    free(rows);
    return done;
}

static PyObject *words_rows(Words *self, PyObject *prefix) {
    if (!PyBytes_Check(prefix)) return PyErr_Format(PyExc_TypeError, "rows() takes bytes"), NULL;
    size_t n = self->count, size = (size_t)self->size, before = (size_t)PyBytes_GET_SIZE(prefix), width = before + size + WORD + CRC;
    if (before > MOST_SIZE || n > (size_t)PY_SSIZE_T_MAX / (width + 2 * sizeof(Row))) return PyErr_NoMemory();
    PyObject *result = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(n * width));
    if (!n || !result) return result;
    uint8_t *raw = PyMem_Malloc(n * width_of(self)), *out = (uint8_t *)PyBytes_AS_STRING(result);
    int done = raw != NULL;
    if (done) {
        memcpy(raw, self->rows, n * width_of(self)); /* others may add meanwhile */
        Py_INCREF(prefix);
        Py_BEGIN_ALLOW_THREADS;
        done = write_rows(raw, n, size, (const uint8_t *)PyBytes_AS_STRING(prefix), before, out);
        Py_END_ALLOW_THREADS;
        Py_DECREF(prefix);
        PyMem_Free(raw);
    }
    if (done) return result;
    Py_DECREF(result);
    return PyErr_NoMemory();
}

static PyMethodDef methods[] = {
    {"add", (PyCFunction)words_add, METH_O, "Bind the hashes of a dict to its words."},
    {"find", (PyCFunction)words_find, METH_O, "The word of a hash, or 0."},
    {"find_many", (PyCFunction)words_find_many, METH_O, "The words of those hashes that are here."},
    {"hashes", (PyCFunction)words_hashes, METH_NOARGS, "The hashes."},
    {"items", (PyCFunction)words_items, METH_NOARGS, "The hashes and their words."},
    {"rows", (PyCFunction)words_rows, METH_O, "Rows of an index, ascending."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef members[] = {
    {"size", T_PYSSIZET, offsetof(Words, size), READONLY, "Of a hash, in bytes."},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_doc, "As `irminpy._rows.Words`."},
    {Py_tp_members, members},
    {Py_tp_new, words_new},
    {Py_tp_dealloc, words_dealloc},
    {Py_tp_methods, methods},
    {Py_sq_length, words_length},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "irminpy._ccore.Words",
    .basicsize = sizeof(Words),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = slots,
};

int words_begin(PyObject *module) {
    PyObject *type = PyType_FromModuleAndSpec(module, &spec, NULL);
    int done = type ? PyModule_AddType(module, (PyTypeObject *)type) : -1;
    Py_XDECREF(type);
    return done;
}
