/* Hashing a staged directory, where steps were bound that were bound before, or are new (irminpy/tree/settle.py).
 *
 * All is found out before anything is told: what is made lies in dicts of its own, so that Python may begin anew. */
#include "plant.h"

/* One step of an edited directory that leads to something else than before. */
typedef struct {
    PyObject *step;
    PyObject *child; /* the bytes of a value, or NULL */
    PyObject *below; /* what a directory that is all new leads to, or NULL */
    PyObject *kept;  /* such a directory, where it is kept */
    const char *text;
    Py_ssize_t length;
    size_t job; /* what makes the directory that it leads to, if it is none of these */
    int hashed;
    uint8_t kind, key[HASH], hash[HASH];
} Change;

/* One edited directory. */
typedef struct {
    PyObject *record, *now, *first, *stored;
    size_t change, changes; /* where its own begin, and how many they are */
    uint64_t word; /* where the directory lies that it was; 0 for unknown */
    Py_ssize_t node; /* which of the nodes it became; -1 if that was one before */
    uint8_t hash[HASH];
} Job;

typedef struct {
    State *state;
    PyTypeObject *staged, *stored, *flat, *inner;
    PyObject *source;
    Nodes from;
    int width, keep;
    PyObject *contents, *nodes, *made, *hints, *noted, *replaced;
    uint64_t *places; /* for each of `nodes`, in their order, where that lies whose place it takes; 0 for unknown */
    size_t n_places, room_places;
    Py_ssize_t last; /* which of them was made last; -1 if it was made before */
    Job *jobs;
    Change *changes;
    size_t n_jobs, room_jobs, n_changes, room_changes;
    size_t *order; /* jobs, those below before those above */
    size_t n_order, room_order;
    Change **sorted;
    size_t n_sorted, room_sorted;
    Planting plant; /* its dicts are those here */
} Settling;

/* In all that follows: 1 if it is done, 0 if that is for Python to do, -1 with an error set. */

/* Whether `staged` lies on a directory that is read from where all are; its record and its steps are kept then. */
static int open_job(Settling *s, PyObject *staged, Job *job) {
    State *state = s->state;
    PyObject *base = ATTRIBUTE(staged, base), *source = NULL, *pins = NULL;
    int done = base ? Py_TYPE(base) == s->stored : -1;
    if (done == 1) {
        source = ATTRIBUTE(base, source);
        pins = ATTRIBUTE(base, pins);
        PyObject *before = ATTRIBUTE(base, hash);
        PyObject *word = ATTRIBUTE(base, word);
        if (!before || !word || PyList_Append(s->replaced, before) < 0) Py_CLEAR(source);
        if (word && PyLong_CheckExact(word)) job->word = PyLong_AsUnsignedLongLong(word);
        if (PyErr_Occurred()) Py_CLEAR(source);
        Py_XDECREF(word);
        Py_XDECREF(before);
        job->record = ATTRIBUTE(base, decoded);
        job->now = ATTRIBUTE(staged, now);
        job->first = ATTRIBUTE(staged, first);
        if (!source || !pins || !job->record || !job->now || !job->first)
            done = -1;
        else
            done = source == s->source && pins == Py_None && PyDict_CheckExact(job->now) &&
                   PyDict_CheckExact(job->first) && PyDict_GET_SIZE(job->first);
    }
    Py_XDECREF(base);
    Py_XDECREF(source);
    Py_XDECREF(pins);
    return done;
}

/* The value `data` of a change is hashed, and goes among the contents. */
static int settle_value(Settling *s, PyObject *data, Change *change) {
    if (PyBytes_GET_SIZE(data) >= MOST) return 0;
    PyObject *hash, *object = contents_of(s->state, data, &hash);
    if (!object) return -1;
    memcpy(change->hash, PyBytes_AS_STRING(hash), HASH);
    int done = PyDict_SetItem(s->contents, hash, object) == 0 ? 1 : -1;
    s->plant.values++;
    Py_DECREF(hash);
    Py_DECREF(object);
    return done;
}

/* Whether a staged directory is all new. */
static int lies_on_none(Settling *s, PyObject *staged) {
    PyObject **base = slot_of(s->state, staged, NAME_base);
    return base && *base == Py_None;
}

/* The changes of the job, whose directories get jobs of their own, unless they are all new. */
static int collect_job(Settling *s, size_t at) {
    Py_ssize_t place = 0;
    PyObject *step;
    /* What is called here runs no Python, so that the dict stays as it is. */
    s->jobs[at].change = s->n_changes;
    while (PyDict_Next(s->jobs[at].first, &place, &step, NULL)) {
        Change change = {.step = step};
        PyObject *child = PyDict_GetItemWithError(s->jobs[at].now, step);
        if (!child) return PyErr_Occurred() ? -1 : 0;
        change.text = utf8(step, &change.length);
        if (!change.text) return 0;
        if (!grow((void **)&s->changes, &s->room_changes, s->n_changes, 1, sizeof *s->changes)) return -1;
        if (PyBytes_CheckExact(child)) {
            change.child = Py_NewRef(child);
            change.kind = 1;
        } else if (PyDict_CheckExact(child)) {
            change.below = Py_NewRef(child);
        } else if (Py_TYPE(child) == s->staged && lies_on_none(s, child)) {
            int done = plant_children(&s->plant, child, &change.below);
            if (done != 1) return done;
        } else if (Py_TYPE(child) == s->staged) {
            if (!grow((void **)&s->jobs, &s->room_jobs, s->n_jobs, 1, sizeof *s->jobs)) return -1;
            Job job = {.record = NULL};
            change.job = s->n_jobs;
            int done = open_job(s, child, &job);
            s->jobs[s->n_jobs++] = job;
            if (done != 1) return done;
        } else {
            return 0;
        }
        Py_INCREF(step);
        s->changes[s->n_changes++] = change;
        s->jobs[at].changes++;
    }
    return 1;
}

/* Make jobs of all edited directories, from the job 0 on, in the order in which Python does. */
static int collect(Settling *s) {
    size_t *stack = NULL, n = 1, room = 0;
    int done = grow((void **)&stack, &room, 0, 1, sizeof *stack) ? 1 : -1;
    if (done == 1) stack[0] = 1;
    while (done == 1 && n) {
        size_t task = stack[--n];
        if (!(task & 1)) {
            s->order[s->n_order++] = task >> 1;
            continue;
        }
        size_t at = task >> 1;
        done = collect_job(s, at);
        const Job *job = &s->jobs[at];
        for (size_t i = 0; done == 1 && i < job->changes; i++) {
            Change *change = &s->changes[job->change + i];
            if (change->child) done = settle_value(s, change->child, change);
            if (change->below) done = plant_directory(&s->plant, change->below, 0, s->keep, change->hash, &change->kept);
        }
        if (done == 1 && (!grow((void **)&stack, &room, n, job->changes + 1, sizeof *stack) ||
                          !grow((void **)&s->order, &s->room_order, s->n_order, n + 1, sizeof *s->order)))
            done = -1;
        if (done != 1) break;
        stack[n++] = at << 1;
        for (size_t i = 0; i < job->changes; i++)
            if (!s->changes[job->change + i].child && !s->changes[job->change + i].below)
                stack[n++] = s->changes[job->change + i].job << 1 | 1;
    }
    PyMem_Free(stack);
    return done;
}

/* There are `n` nodes now; what those that are new take the place of is not known yet. */
static int add_places(Settling *s, size_t n) {
    if (n <= s->n_places) return 1;
    if (!grow((void **)&s->places, &s->room_places, s->n_places, n - s->n_places, sizeof *s->places)) return -1;
    memset(s->places + s->n_places, 0, (n - s->n_places) * sizeof *s->places);
    s->n_places = n;
    return 1;
}

/* The word of the child number `i` of a record with these words; 0 for unknown. */
static inline uint64_t place_of(PyObject *words, Py_ssize_t i) {
    return PyBytes_GET_SIZE(words) ? u64((const uint8_t *)PyBytes_AS_STRING(words) + 8 * i) : 0;
}

/* The record, whose reference is taken, under its hash; `head` and `column` are its bytes. It takes the place of what lies at
 * `before`, 0 for unknown. */
static int add_record(Settling *s, PyObject *record, PyObject *head, PyObject *column, PyObject *words, uint64_t before,
                      uint8_t hash[HASH]) {
    Py_ssize_t size = PyBytes_GET_SIZE(head), more = PyBytes_GET_SIZE(column);
    PyObject *data = record ? PyBytes_FromStringAndSize(NULL, size + more) : NULL, *name = NULL;
    int done = -1;
    if (data) {
        memcpy(PyBytes_AS_STRING(data), PyBytes_AS_STRING(head), (size_t)size);
        memcpy(PyBytes_AS_STRING(data) + size, PyBytes_AS_STRING(column), (size_t)more);
        blake3_digest((const uint8_t *)PyBytes_AS_STRING(data), (size_t)(size + more), hash);
        name = PyBytes_FromStringAndSize((const char *)hash, HASH);
        settled_record(record);
    }
    Py_ssize_t known = PyDict_GET_SIZE(s->nodes);
    if (name && PyDict_SetItem(s->nodes, name, data) == 0 && PyDict_SetItem(s->made, name, record) == 0 &&
        (!PyBytes_GET_SIZE(words) || PyDict_SetItem(s->hints, name, words) == 0))
        done = add_places(s, (size_t)PyDict_GET_SIZE(s->nodes));
    s->last = PyDict_GET_SIZE(s->nodes) > known ? known : -1;
    if (done == 1 && s->last >= 0) s->places[s->last] = before;
    Py_XDECREF(data);
    Py_XDECREF(name);
    Py_XDECREF(record);
    return done;
}

/* A record of the class with these fields, whose references are taken; NULL with an error set if one is NULL. */
static PyObject *record_with(PyTypeObject *type, Py_ssize_t n, PyObject *const *fields) {
    int whole = 1;
    for (Py_ssize_t i = 0; i < n; i++) whole &= fields[i] != NULL;
    PyObject *record = whole ? type->tp_alloc(type, n) : NULL;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (record)
            PyTuple_SET_ITEM(record, i, fields[i]);
        else
            Py_XDECREF(fields[i]);
    }
    return record;
}

/* The record `old`, of the class `type` with `n` fields, with other columns. */
static int make(Settling *s, PyObject *old, PyTypeObject *type, Py_ssize_t n, Py_ssize_t hashes_at, PyObject *column,
                PyObject *words, uint64_t before, uint8_t hash[HASH]) {
    PyObject *fields[NODE];
    for (Py_ssize_t i = 0; i < n; i++) fields[i] = Py_NewRef(i == hashes_at ? column : i == 4 ? words : field(old, i));
    return add_record(s, record_with(type, n, fields), field(old, 5), column, words, before, hash);
}

/* Copies of the columns of hashes and of words, the latter as it is if it is empty. */
static int copies(PyObject *hashes, PyObject *words, PyObject **column, PyObject **lacking) {
    *column = PyBytes_FromStringAndSize(PyBytes_AS_STRING(hashes), PyBytes_GET_SIZE(hashes));
    *lacking = PyBytes_GET_SIZE(words) ? PyBytes_FromStringAndSize(PyBytes_AS_STRING(words), PyBytes_GET_SIZE(words))
                                       : Py_NewRef(words);
    if (*column && *lacking) return 1;
    Py_CLEAR(*column);
    Py_CLEAR(*lacking);
    return 0;
}

static void put_hash(PyObject *column, PyObject *words, Py_ssize_t i, const uint8_t hash[HASH]) {
    memcpy(PyBytes_AS_STRING(column) + i * HASH, hash, HASH);
    if (PyBytes_GET_SIZE(words)) memset(PyBytes_AS_STRING(words) + 8 * i, 0, 8);
}


/* Whether the record of `n` children has its hashes last, and as many words as hashes, or none. */
static int regular(PyObject *hashes, PyObject *words, PyObject *head, Py_ssize_t n) {
    return PyBytes_CheckExact(hashes) && PyBytes_CheckExact(words) && PyBytes_CheckExact(head) && n <= MOST &&
           PyBytes_GET_SIZE(hashes) == n * HASH && PyBytes_GET_SIZE(head) && PyBytes_GET_SIZE(head) <= MOST &&
           (!PyBytes_GET_SIZE(words) || PyBytes_GET_SIZE(words) == 8 * n);
}

/* The rows of the flat record `old`, with these columns, and behind them of the `n` changes, whose steps are new. NULL with an
 * error set, or if that is for Python. */
static Entry *rows_of(PyObject *old, PyObject *column, PyObject *words, Change **changes, size_t n, size_t *count) {
    size_t entries = old ? (size_t)PyDict_GET_SIZE(field(old, 0)) : 0, i = 0;
    Entry *rows = PyMem_New(Entry, entries + n);
    if (!rows) return (Entry *)PyErr_NoMemory();
    PyObject *step, *position;
    Py_ssize_t place = 0;
    while (old && i < entries && PyDict_Next(field(old, 0), &place, &step, &position)) {
        Py_ssize_t length;
        const char *text = utf8(step, &length);
        if (!text || size_of(position) != (Py_ssize_t)i || length > MOST_HASHED) break;
        rows[i] = (Entry){.step = step, .text = text, .size = (size_t)length};
        rows[i].kind = (uint8_t)PyBytes_AS_STRING(field(old, 1))[i];
        if (PyBytes_GET_SIZE(words)) rows[i].word = u64((const uint8_t *)PyBytes_AS_STRING(words) + 8 * i);
        memcpy(rows[i].hash, PyBytes_AS_STRING(column) + i * HASH, HASH);
        i++;
    }
    if (i != entries) {
        PyMem_Free(rows);
        return NULL;
    }
    for (size_t j = 0; j < n; j++, i++) {
        rows[i] = (Entry){.step = changes[j]->step, .text = changes[j]->text, .size = (size_t)changes[j]->length};
        rows[i].kind = changes[j]->kind;
        memcpy(rows[i].hash, changes[j]->hash, HASH);
    }
    *count = i;
    return rows;
}

/* The flat record of these rows, in the place of `old`. */
static int make_flat(Settling *s, PyObject *old, Entry **rows, size_t n, int located, uint8_t hash[HASH]) {
    size_t steps = 0;
    for (size_t i = 0; i < n; i++) steps += str_head(rows[i]->size) + rows[i]->size;
    PyObject *index = PyDict_New(), *kinds = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)n);
    PyObject *column = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(n * HASH));
    PyObject *words = PyBytes_FromStringAndSize(NULL, located ? (Py_ssize_t)(8 * n) : 0);
    PyObject *head = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)flat_head(n, steps));
    int whole = index && kinds && column && words && head;
    uint8_t *at = whole ? (uint8_t *)PyBytes_AS_STRING(head) : NULL;
    if (whole) {
        *at++ = 'N';
        at = put_array(put_array(at, 3), n);
    }
    for (size_t i = 0; whole && i < n; i++) {
        PyObject *position = PyLong_FromSize_t(i);
        whole = position && PyDict_SetItem(index, rows[i]->step, position) == 0;
        Py_XDECREF(position);
        at = put_str(at, rows[i]->text, rows[i]->size);
        PyBytes_AS_STRING(kinds)[i] = (char)rows[i]->kind;
        memcpy(PyBytes_AS_STRING(column) + i * HASH, rows[i]->hash, HASH);
        if (located) put_u64((uint8_t *)PyBytes_AS_STRING(words) + 8 * i, rows[i]->word);
    }
    if (whole) put_bin_head(put_bin(at, PyBytes_AS_STRING(kinds), n), n * HASH);
    int done = -1;
    if (whole) {
        PyObject *const fields[NODE] = {Py_NewRef(index),         Py_NewRef(kinds), Py_NewRef(column),        Py_NewRef(field(old, 3)),
                                        Py_NewRef(words),         Py_NewRef(head),  Py_NewRef(field(old, 6)), Py_NewRef(field(old, 7))};
        done = add_record(s, record_with(s->flat, NODE, fields), head, column, words, 0, hash);
    }
    Py_XDECREF(index);
    Py_XDECREF(kinds);
    Py_XDECREF(column);
    Py_XDECREF(words);
    Py_XDECREF(head);
    return done;
}

/* The part of a directory with the entries of `old`, if there is one, and of the `n` changes, whose steps are new. */
static int insert(Settling *s, PyObject *old, PyObject *column, PyObject *words, Change **changes, size_t n, Py_ssize_t depth,
                  uint8_t hash[HASH]) {
    size_t count = 0;
    Entry *rows = rows_of(old, column, words, changes, n, &count), **sorted = rows ? PyMem_New(Entry *, count) : NULL;
    int done = sorted ? 1 : PyErr_Occurred() ? -1 : 0;
    if (rows && !sorted) done = (PyErr_NoMemory(), -1);
    for (size_t i = 0; done == 1 && i < count; i++) sorted[i] = &rows[i];
    if (done == 1 && old && count <= (size_t)s->plant.leaf) {
        plant_sort(sorted, count);
        done = make_flat(s, old, sorted, count, PyBytes_GET_SIZE(words) != 0, hash);
    } else if (done == 1) {
        for (size_t i = 0; i < count; i++) hash_step(&rows[i]);
        done = plant_rows(&s->plant, sorted, count, depth, hash);
    }
    PyMem_Free(rows);
    PyMem_Free(sorted);
    return done;
}

static int patch_flat(Settling *s, PyObject *record, uint64_t before, Change **changes, size_t n, Py_ssize_t depth,
                      uint8_t hash[HASH], size_t *grown) {
    PyObject *index = field(record, 0), *kinds = field(record, 1), *hashes = field(record, 2), *words = field(record, 4);
    PyObject *metadata = field(record, 3), *links = field(record, 6), *column, *lacking;
    Py_ssize_t entries = PyDict_GET_SIZE(index);
    if (!regular(hashes, words, field(record, 5), entries) || PyBytes_GET_SIZE(kinds) != entries ||
        !PyDict_CheckExact(metadata) || PyDict_GET_SIZE(metadata) || !PyBytes_CheckExact(links) || PyBytes_GET_SIZE(links))
        return 0;
    if (!copies(hashes, words, &column, &lacking)) return -1;
    int done = 1;
    for (size_t j = 0; done == 1 && j < n; j++) {
        PyObject *found = PyDict_GetItemWithError(index, changes[j]->step);
        Py_ssize_t i = found ? size_of(found) : -1;
        if (!found && !PyErr_Occurred()) {
            /* Those that are new come first. */
            Change *new = changes[j];
            changes[j] = changes[*grown];
            changes[(*grown)++] = new;
        } else if (i < 0 || i >= entries || PyBytes_AS_STRING(kinds)[i] != changes[j]->kind) {
            done = PyErr_Occurred() ? -1 : 0;
        } else {
            int edited = !changes[j]->child && !changes[j]->below;
            if (edited && s->jobs[changes[j]->job].node >= 0)
                s->places[s->jobs[changes[j]->job].node] = place_of(words, i);
            put_hash(column, lacking, i, changes[j]->hash);
        }
    }
    if (done == 1)
        done = *grown ? insert(s, record, column, lacking, changes, *grown, depth, hash)
                      : make(s, record, s->flat, NODE, 2, column, lacking, before, hash);
    Py_DECREF(column);
    Py_DECREF(lacking);
    return done;
}

static int patch(Settling *s, PyObject *record, uint64_t before, Change **changes, size_t n, Py_ssize_t depth, uint8_t hash[HASH],
                 size_t *grown);

/* What becomes of the bucket of a digit. */
typedef struct {
    size_t grown; /* entries more than before */
    uint8_t hash[HASH]; /* of one that was not there */
} Bucket;

/* The inner record with more entries than `old`, whose other columns these are. */
static int make_inner(Settling *s, PyObject *old, const Bucket *found, PyObject *hashes, PyObject *words, Py_ssize_t depth,
                      uint8_t hash[HASH]) {
    const uint8_t *before = (const uint8_t *)PyBytes_AS_STRING(field(old, 1));
    size_t k = (size_t)PyBytes_GET_SIZE(field(old, 1)), counts[256], n = 0, old_at = 0;
    uint8_t buckets[256];
    int located = PyBytes_GET_SIZE(words) != 0, whole = 1;
    for (Py_ssize_t digit = 0; whole && digit < s->plant.fanout; digit++) {
        int known = old_at < k && before[old_at] == digit;
        if (!known && !found[digit].grown) continue;
        Py_ssize_t count = known ? size_of(PyList_GET_ITEM(field(old, 2), (Py_ssize_t)old_at)) : 0;
        if (count < 0 || count > MOST) whole = 0;
        counts[n] = (size_t)count + found[digit].grown;
        buckets[n++] = (uint8_t)digit;
        old_at += (size_t)known;
    }
    if (!whole || old_at != k) return 0; /* not in order, or more than one may count */
    PyObject *head = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)inner_head(&s->plant, depth, counts, n));
    PyObject *numbers = PyList_New((Py_ssize_t)n), *column = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(n * HASH));
    PyObject *lacking = PyBytes_FromStringAndSize(NULL, located ? (Py_ssize_t)(8 * n) : 0);
    whole = head && numbers && column && lacking;
    if (whole) put_inner_head(&s->plant, depth, buckets, counts, n, (uint8_t *)PyBytes_AS_STRING(head));
    old_at = 0;
    for (size_t i = 0; whole && i < n; i++) {
        PyObject *count = PyLong_FromSize_t(counts[i]);
        int known = old_at < k && before[old_at] == buckets[i];
        const char *own = known ? PyBytes_AS_STRING(hashes) + old_at * HASH : (const char *)found[buckets[i]].hash;
        memcpy(PyBytes_AS_STRING(column) + i * HASH, own, HASH);
        if (located && known) memcpy(PyBytes_AS_STRING(lacking) + 8 * i, PyBytes_AS_STRING(words) + 8 * old_at, 8);
        if (located && !known) memset(PyBytes_AS_STRING(lacking) + 8 * i, 0, 8);
        old_at += (size_t)known;
        if (count)
            PyList_SET_ITEM(numbers, (Py_ssize_t)i, count);
        else
            whole = 0;
    }
    int done = -1;
    if (whole) {
        PyObject *const fields[INODE] = {Py_NewRef(field(old, 0)), PyBytes_FromStringAndSize((const char *)buckets, (Py_ssize_t)n),
                                         Py_NewRef(numbers),       Py_NewRef(column),
                                         Py_NewRef(lacking),       Py_NewRef(head)};
        done = add_record(s, record_with(s->inner, INODE, fields), head, column, lacking, 0, hash);
    }
    Py_XDECREF(head);
    Py_XDECREF(numbers);
    Py_XDECREF(column);
    Py_XDECREF(lacking);
    return done;
}

static int patch_inner(Settling *s, PyObject *record, uint64_t place, Change **changes, size_t n, Py_ssize_t depth,
                       uint8_t hash[HASH], size_t *grown) {
    PyObject *buckets = field(record, 1), *hashes = field(record, 3), *column, *lacking;
    Py_ssize_t k = PyBytes_GET_SIZE(buckets);
    if (size_of(field(record, 0)) != depth || depth >= 8 * HASH / s->width || !regular_inode(record, k) ||
        !regular(hashes, field(record, 4), field(record, 5), k))
        return 0;
    for (size_t j = 0; j < n; j++) {
        if (!changes[j]->hashed) blake3_digest((const uint8_t *)changes[j]->text, (size_t)changes[j]->length, changes[j]->key);
        changes[j]->hashed = 1;
    }
    Bucket *found = PyMem_Calloc((size_t)s->plant.fanout, sizeof *found);
    if (!found) return PyErr_NoMemory(), -1;
    if (!copies(hashes, field(record, 4), &column, &lacking)) {
        PyMem_Free(found);
        return -1;
    }
    int done = 1;
    for (size_t begin = 0, end; done == 1 && begin < n; begin = end) {
        /* Those of the lowest digit that is left, in their order. */
        Py_ssize_t digit = 256;
        for (size_t j = begin; j < n; j++) {
            Py_ssize_t other = digit_of(changes[j]->key, depth, s->width);
            if (other < digit) digit = other;
        }
        end = begin;
        for (size_t j = begin; j < n; j++) {
            if (digit_of(changes[j]->key, depth, s->width) != digit) continue;
            Change *moved = changes[j];
            memmove(changes + end + 1, changes + end, (j - end) * sizeof *changes);
            changes[end++] = moved;
        }
        const char *at = memchr(PyBytes_AS_STRING(buckets), (int)digit, (size_t)k);
        if (!at) {
            found[digit].grown = end - begin;
            done = insert(s, NULL, column, lacking, changes + begin, end - begin, depth + 1, found[digit].hash);
            *grown += found[digit].grown;
            continue;
        }
        uint8_t below[HASH];
        PyObject *bucket = NULL;
        done = open_bucket(record, at - PyBytes_AS_STRING(buckets), &s->from, &bucket);
        if (done == 1)
            done = patch(s, bucket, place_of(field(record, 4), at - PyBytes_AS_STRING(buckets)), changes + begin, end - begin, depth + 1, below, &found[digit].grown);
        Py_XDECREF(bucket);
        *grown += found[digit].grown;
        if (done == 1) {
            Py_ssize_t i = at - PyBytes_AS_STRING(buckets);
            PyObject *before = PyBytes_FromStringAndSize(PyBytes_AS_STRING(hashes) + i * HASH, HASH);
            if (!before || PyList_Append(s->replaced, before) < 0) done = -1;
            Py_XDECREF(before);
            put_hash(column, lacking, i, below);
        }
    }
    if (done == 1)
        done = *grown ? make_inner(s, record, found, column, lacking, depth, hash)
                      : make(s, record, s->inner, INODE, 3, column, lacking, place, hash);
    PyMem_Free(found);
    Py_DECREF(column);
    Py_DECREF(lacking);
    return done;
}

/* The hash of `record`, which lies at `before`, 0 for unknown, with the `n` changes; `*grown`: how many of their steps are new. It
 * is deep only as `record` is: no more levels than a hash has bits. */
static int patch(Settling *s, PyObject *record, uint64_t before, Change **changes, size_t n, Py_ssize_t depth, uint8_t hash[HASH],
                 size_t *grown) {
    int inner = Py_TYPE(record) == s->inner && is_inode(record);
    *grown = 0;
    if (!inner && (Py_TYPE(record) != s->flat || !is_node(record) || !PyBytes_CheckExact(field(record, 4)))) return 0;
    if (PyList_CheckExact(s->noted) && PyBytes_GET_SIZE(field(record, 4)) && PyList_Append(s->noted, record) < 0) return -1;
    return inner ? patch_inner(s, record, before, changes, n, depth, hash, grown)
                 : patch_flat(s, record, before, changes, n, depth, hash, grown);
}

/* The directory of the job with its hash, once those below it have theirs. */
static int finish(Settling *s, Job *job, PyObject *pool) {
    int needed = s->keep || job == s->jobs;
    s->n_sorted = 0;
    if (!grow((void **)&s->sorted, &s->room_sorted, 0, job->changes, sizeof *s->sorted)) return -1;
    for (size_t i = 0; i < job->changes; i++) {
        Change *change = &s->changes[job->change + i];
        if (!change->child && !change->below) memcpy(change->hash, s->jobs[change->job].hash, HASH);
        s->sorted[i] = change;
    }
    size_t grown;
    s->last = -1;
    int done = patch(s, job->record, job->word, s->sorted, job->changes, 0, job->hash, &grown);
    job->node = s->last;
    if (done != 1) return done;
    if (!needed) return 1;
    PyObject *now = PyDict_New(), *hash = PyBytes_FromStringAndSize((const char *)job->hash, HASH);
    PyObject *word = PyLong_FromLong(0);
    for (size_t i = 0; now && s->keep && i < job->changes; i++) {
        Change *change = &s->changes[job->change + i];
        PyObject *child = change->child ? change->child : change->below ? change->kept : s->jobs[change->job].stored;
        if (PyDict_SetItem(now, change->step, child) < 0) Py_CLEAR(now);
    }
    if (now && hash && word) job->stored = new_stored(s->state, s->stored, hash, pool, now, word);
    Py_XDECREF(now);
    Py_XDECREF(hash);
    Py_XDECREF(word);
    return job->stored ? 1 : -1;
}

/* settle(staged, source, pool, recent, load, width, leaf, noted, keep, Staged, Stored, Node, Inode) */
FUNCTION(settle) {
    Py_ssize_t width, leaf;
    if (nargs != 13 || (width = size_of(args[5])) < 1 || width > 8 || (leaf = size_of(args[6])) < 1 || leaf > 1 << 24 ||
        Py_TYPE(args[0]) != (PyTypeObject *)args[9] || !PyType_Check(args[10]) || !plain_tuple(args[11]) ||
        !plain_tuple(args[12]))
        return REFER(settle);
    Settling s = {
        .state = state_of(module),
        .staged = (PyTypeObject *)args[9],
        .stored = (PyTypeObject *)args[10],
        .flat = (PyTypeObject *)args[11],
        .inner = (PyTypeObject *)args[12],
        .source = args[1],
        .from = {args[3], args[4], NULL},
        .width = (int)width,
        .keep = args[8] == Py_True,
        .contents = PyDict_New(),
        .nodes = PyDict_New(),
        .made = PyDict_New(),
        .hints = PyDict_New(),
        .replaced = PyList_New(0),
        .noted = args[7] == Py_True ? PyList_New(0) : Py_NewRef(Py_None),
    };
    PyObject *answer = NULL;
    learn(s.state, LAYOUT_STAGED, s.staged);
    learn(s.state, LAYOUT_STORED, s.stored);
    State *state = s.state;
    s.plant = (Planting){
        .state = state,
        .staged = s.staged,
        .stored = s.stored,
        .line = ATTRIBUTE(args[0], line),
        .pool = args[2],
        .fanout = (Py_ssize_t)1 << width,
        .flat = leaf,
        .leaf = leaf,
        .width = s.width,
        .keep = s.keep,
        .contents = s.contents,
        .nodes = s.nodes,
        .hints = args[7] == Py_True ? s.hints : NULL,
    };
    int done = s.plant.line && s.contents && s.nodes && s.made && s.hints && s.noted && s.replaced &&
                       grow((void **)&s.jobs, &s.room_jobs, 0, 1, sizeof *s.jobs) &&
                       grow((void **)&s.order, &s.room_order, 0, 1, sizeof *s.order)
                   ? 1
                   : -1;
    if (done == 1) {
        s.jobs[0] = (Job){.record = NULL};
        s.n_jobs = 1;
        done = open_job(&s, args[0], &s.jobs[0]);
    }
    if (done == 1) done = collect(&s);
    for (size_t i = 0; done == 1 && i < s.n_order; i++) done = finish(&s, &s.jobs[s.order[i]], args[2]);
    if (done == 1) done = add_places(&s, (size_t)PyDict_GET_SIZE(s.nodes));
    if (done == 1) {
        PyObject *older = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)(8 * s.n_places));
        for (size_t i = 0; older && i < s.n_places; i++) put_u64((uint8_t *)PyBytes_AS_STRING(older) + 8 * i, s.places[i]);
        PyObject *items[] = {
            Py_NewRef(s.jobs[0].stored), Py_NewRef(s.contents), Py_NewRef(s.nodes),           Py_NewRef(s.made), Py_NewRef(s.hints),
            Py_NewRef(s.noted), Py_NewRef(s.replaced), older, PyLong_FromSsize_t(s.plant.values),
            PyLong_FromSsize_t((Py_ssize_t)s.n_jobs + s.plant.directories),
        };
        answer = tuple_of(10, items);
    }
    for (size_t i = 0; i < s.n_jobs; i++) {
        Py_XDECREF(s.jobs[i].record);
        Py_XDECREF(s.jobs[i].now);
        Py_XDECREF(s.jobs[i].first);
        Py_XDECREF(s.jobs[i].stored);
    }
    for (size_t i = 0; i < s.n_changes; i++) {
        Py_DECREF(s.changes[i].step);
        Py_XDECREF(s.changes[i].child);
        Py_XDECREF(s.changes[i].below);
        Py_XDECREF(s.changes[i].kept);
    }
    PyMem_Free(s.jobs);
    PyMem_Free(s.changes);
    PyMem_Free(s.order);
    PyMem_Free(s.sorted);
    PyMem_Free(s.places);
    Py_XDECREF(s.plant.line);
    Py_XDECREF(s.contents);
    Py_XDECREF(s.nodes);
    Py_XDECREF(s.made);
    Py_XDECREF(s.hints);
    Py_XDECREF(s.noted);
    Py_XDECREF(s.replaced);
    return done ? answer : REFER(settle);
}

/* weight(record): 8, and one for each child. */
FUNCTION(weight) {
    if (nargs == 1 && is_node(args[0])) return PyLong_FromSsize_t(8 + PyDict_GET_SIZE(field(args[0], 0)));
    if (nargs == 1 && is_inode(args[0])) return PyLong_FromSsize_t(8 + PyList_GET_SIZE(field(args[0], 2)));
    return REFER(weight);
}

/* Give each of `records` the words in `hints`, where all have some and nobody else has one of them: then nobody sees that a
 * tuple changes. Whether that was done, or -1 with an error set. */
static int place_all(PyObject *records, PyObject *nodes, PyObject *hints, PyObject *flat, PyObject *inner) {
    PyObject *hash, *record, **words = PyMem_New(PyObject *, PyDict_GET_SIZE(records));
    Py_ssize_t n = 0;
    int done = words ? 1 : (PyErr_NoMemory(), -1);
    /* Keys are bytes: to look them up runs no Python, so that the dicts stay as they are. */
    for (Py_ssize_t at = 0; done == 1 && PyDict_Next(records, &at, &hash, &record); n++) {
        done = PyBytes_CheckExact(hash) && Py_REFCNT(record) == 1 &&
               ((Py_TYPE(record) == (PyTypeObject *)flat && is_node(record)) ||
                (Py_TYPE(record) == (PyTypeObject *)inner && is_inode(record)));
        if (done == 1) done = PyDict_Contains(nodes, hash);
        words[n] = done == 1 ? PyDict_GetItemWithError(hints, hash) : NULL;
        if (done == 1 && !words[n] && PyErr_Occurred()) done = -1;
        if (done == 1) done = words[n] && PyBytes_CheckExact(words[n]) && PyBytes_GET_SIZE(words[n]);
    }
    n = 0;
    for (Py_ssize_t at = 0; done == 1 && PyDict_Next(records, &at, &hash, &record); n++) {
        PyObject *before = field(record, 4); /* bytes: letting them go runs nothing */
        PyTuple_SET_ITEM(record, 4, Py_NewRef(words[n]));
        Py_DECREF(before);
    }
    PyMem_Free(words);
    return done;
}

/* placed(records, nodes, hints, located, own, flat, inner) */
FUNCTION(placed) {
    if (nargs != 7 || !PyDict_CheckExact(args[0]) || !PyDict_CheckExact(args[1]) || !PyDict_CheckExact(args[2]) ||
        !plain_tuple(args[5]) || !plain_tuple(args[6]))
        return REFER(placed);
    if (args[3] == Py_True && args[4] == Py_True) {
        int all = place_all(args[0], args[1], args[2], args[5], args[6]);
        if (all) return all < 0 ? NULL : Py_NewRef(args[0]);
    }
    PyObject *found = PyDict_New(), *hash, *record;
    int done = found ? 1 : -1;
    /* Keys are bytes: to look them up runs no Python, so that the dicts stay as they are. */
    for (Py_ssize_t at = 0; done == 1 && PyDict_Next(args[0], &at, &hash, &record);) {
        if (!PyBytes_CheckExact(hash)) {
            done = 0;
            break;
        }
        int written = PyDict_Contains(args[1], hash);
        if (written != 1) {
            if (written < 0) done = -1;
            continue;
        }
        PyObject *words = PyDict_GetItemWithError(args[2], hash), *other = NULL;
        if (!words && PyErr_Occurred()) {
            done = -1;
        } else if (words && PyBytes_CheckExact(words) && PyBytes_GET_SIZE(words)) {
            int flat = Py_TYPE(record) == (PyTypeObject *)args[5] && is_node(record);
            if (!flat && (Py_TYPE(record) != (PyTypeObject *)args[6] || !is_inode(record))) {
                done = 0;
                break;
            }
            PyTypeObject *type = Py_TYPE(record);
            Py_ssize_t n = flat ? NODE : INODE;
            other = type->tp_alloc(type, n);
            for (Py_ssize_t i = 0; other && i < n; i++)
                PyTuple_SET_ITEM(other, i, Py_NewRef(i == 4 ? words : field(record, i)));
            if (other) settled_record(other);
            if (!other || PyDict_SetItem(found, hash, other) < 0) done = -1;
            Py_XDECREF(other);
        } else if (args[3] != Py_True) {
            if (PyDict_SetItem(found, hash, record) < 0) done = -1;
        }
    }
    if (done == 1) return found;
    Py_XDECREF(found);
    return done ? NULL : REFER(placed);
}

PyMethodDef settle_methods[] = {
    METHOD(weight, "What a decoded node weighs."),
    METHOD(placed, "Decoded nodes with the words of their children."),
    METHOD(settle, "A staged directory with its hash, where steps are new, or bound to something else."),
    {NULL, NULL, 0, NULL},
};
