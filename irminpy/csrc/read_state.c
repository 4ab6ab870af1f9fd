/* Reading the state of a tree proof in Irmin's form, and hashing what it shows. */
#include "state.h"
#include "blake2b.h"

int state_digest(Proof *s, const uint8_t *data, size_t size, uint8_t *out) {
    if (s->own && size <= MOST_HASHED) {
        blake2b_digest(data, size, out, (size_t)s->hash_size);
        return 1;
    }
    PyObject *object = PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
    PyObject *hash = object ? PyObject_CallOneArg(s->digest, object) : NULL;
    Py_XDECREF(object);
    if (!hash) return -1;
    int right = PyBytes_Check(hash) && PyBytes_GET_SIZE(hash) == s->hash_size;
    if (right) memcpy(out, PyBytes_AS_STRING(hash), (size_t)s->hash_size);
    Py_DECREF(hash);
    return right;
}

/* -- reading: 1 if it was done, 0 if that is for Python to do, -1 with an error set ------------------------------- */

/* A new node with that many entries, below the node `above` of which it is the last entry; its number, or NONE with an error. */
static uint32_t new_draft(Proof *s, uint32_t above, size_t n, int inner) {
    if (!grow((void **)&s->drafts, &s->room_drafts, s->n_drafts, 1, sizeof *s->drafts)) return NONE;
    Draft *d = &s->drafts[s->n_drafts];
    memset(d, 0, offsetof(Draft, hash));
    d->parent = above;
    d->n = d->left = (uint32_t)n;
    d->inner = (uint8_t)inner;
    d->first = d->last = d->label = NONE;
    if (above != NONE) {
        const Draft *parent = &s->drafts[above];
        d->label = parent->last;
        d->above = parent->above + !parent->inner;
        if (parent->inner) {
            d->bucket = 1;
            d->level = parent->level + 1;
            if (!grow((void **)&s->paths, &s->room_paths, s->n_paths, d->level, 1)) return NONE;
            d->path = (uint32_t)s->n_paths;
            memcpy(s->paths + d->path, s->paths + parent->path, parent->level);
            s->paths[d->path + parent->level] = (uint8_t)s->entries[parent->last].size;
            s->n_paths += d->level;
        }
        Entry *entry = &s->entries[parent->last];
        entry->kind = BELOW;
        entry->to = (uint32_t)s->n_drafts;
    }
    return (uint32_t)s->n_drafts++;
}

/* A new entry of the node. */
static Entry *new_entry(Proof *s, uint32_t node) {
    if (!grow((void **)&s->entries, &s->room_entries, s->n_entries, 1, sizeof *s->entries)) return NULL;
    Draft *d = &s->drafts[node];
    uint32_t number = (uint32_t)s->n_entries++;
    if (d->last == NONE)
        d->first = number;
    else
        s->entries[d->last].next = number;
    d->last = number;
    d->left--;
    s->entries[number] = (Entry){.next = NONE, .own = NO_METADATA};
    return &s->entries[number];
}

/* Whether these bytes come after those of the step before. */
static int ascends(const Entry *before, const uint8_t *step, size_t size) {
    int order = memcmp(before->label, step, before->size < size ? before->size : size);
    return order < 0 || (order == 0 && before->size < size);
}

/* The next step, or index, of the node. */
static int read_label(Proof *s, uint32_t node) {
    uint32_t last = s->drafts[node].last;
    int64_t n = varint(&s->r);
    const uint8_t *step = NULL;
    if (n < 0) return 0;
    if (s->drafts[node].inner) {
        if (n >= s->fanout || (last != NONE && n <= (int64_t)s->entries[last].size)) return 0;
    } else {
        if ((uint64_t)n > left(&s->r)) return 0;
        step = take(&s->r, (size_t)n);
        if (last != NONE && !ascends(&s->entries[last], step, (size_t)n)) return 0;
    }
    Entry *entry = new_entry(s, node);
    if (!entry) return -1;
    entry->label = step;
    entry->size = (uint32_t)n;
    return 1;
}

/* How many items follow, each of at least so many bytes; -1 if that cannot be. */
static int64_t count_of(Proof *s, size_t least) {
    int64_t n = varint(&s->r);
    return n < 0 || (uint64_t)n > left(&s->r) / least ? -1 : n;
}

static int read_flat(Proof *s, uint32_t *node) {
    int64_t n = count_of(s, 2);
    if (n < 0 || (!n && *node != NONE)) return 0;
    uint32_t number = new_draft(s, *node, (size_t)n, 0);
    if (number == NONE) return -1;
    Draft *d = &s->drafts[number];
    d->listed = d->bucket || n > s->stable;
    if ((Py_ssize_t)d->above > s->depth || (d->listed && n > s->leaf)) return 0;
    *node = number;
    return 1;
}

/* An inode, or a chain of them. */
static int read_inner(Proof *s, uint32_t *node, int chain) {
    /* What has one bucket, and one with one bucket below it, are written as a chain, all of them as one. */
    int below = *node != NONE && s->drafts[*node].inner, single = below && s->drafts[*node].n == 1;
    int64_t length = varint(&s->r), n = count_of(s, chain ? 1 : 2);
    if (length < 1 || length > LARGEST || n < 1 + chain || (single && (chain || n == 1))) return 0;
    Py_ssize_t level = below ? s->drafts[*node].level + 1 : 0;
    if (level + (chain ? n : 1) > s->levels) return 0;
    Py_ssize_t flat = s->leaf > s->stable ? s->leaf : s->stable;
    for (int64_t i = 0; i < (chain ? n : 1); i++) {
        uint32_t number = new_draft(s, *node, chain ? 1 : (size_t)n, 1);
        if (number == NONE) return -1;
        Draft *d = &s->drafts[number];
        if ((Py_ssize_t)d->above > s->depth || length <= (d->level ? s->leaf : flat)) return 0;
        d->length = length;
        *node = number;
        int done = chain ? read_label(s, number) : 1;
        if (done != 1) return done;
    }
    return 1;
}

static int read_value(Proof *s, Entry *entry) {
    int64_t n = varint(&s->r);
    if (n < 0 || n > s->longest || (uint64_t)n > left(&s->r)) return 0;
    if (!grow((void **)&s->values, &s->room_values, s->n_values, 1, sizeof *s->values)) return -1;
    entry->kind = VALUE;
    entry->to = (uint32_t)s->n_values;
    s->values[s->n_values++] = (Value){take(&s->r, (size_t)n), (size_t)n};
    return 1;
}

/* The metadata behind the contents. */
static int read_metadata(Proof *s, Entry *entry) {
    size_t size;
    if (!s->metadata.skip) return 1;
    const uint8_t *start = s->r.at;
    int done = metadata_skip(&s->metadata, &s->r, &size);
    if (done == 1 && (size != (size_t)PyBytes_GET_SIZE(s->usual) || memcmp(start, PyBytes_AS_STRING(s->usual), size)))
        entry->own = (uint32_t)size;
    return done;
}

/* The numbers of the cases in a tree and in a bucket, as forms. */
enum { CONTENTS, BLINDED_CONTENTS, NODE_, BLINDED, INODE_, CHAIN };
static const uint8_t TREE[] = {CONTENTS, BLINDED_CONTENTS, NODE_, BLINDED, INODE_, CHAIN};
static const uint8_t IN_BUCKET[] = {BLINDED, NODE_, INODE_, CHAIN};

static int read_all(Proof *s) {
    for (uint32_t node = NONE;;) {
        int bucket = node != NONE && s->drafts[node].inner;
        int64_t tag = varint(&s->r);
        if (tag < 0 || tag >= (int64_t)(bucket ? sizeof IN_BUCKET : sizeof TREE)) return 0;
        int form = bucket ? IN_BUCKET[tag] : TREE[tag], done = 1;
        Entry *entry = node == NONE ? NULL : &s->entries[s->drafts[node].last];
        if (form == NODE_) {
            done = read_flat(s, &node);
        } else if (form == INODE_ || form == CHAIN) {
            done = read_inner(s, &node, form == CHAIN);
        } else if (!entry) {
            done = UNUSUAL; /* a root that shows no directory */
        } else if (form == CONTENTS) {
            done = read_value(s, entry);
        } else {
            entry->kind = form == BLINDED ? HIDDEN : HIDDEN_CONTENTS;
            entry->hash = take(&s->r, (size_t)s->hash_size);
            done = entry->hash != NULL;
        }
        if (done == 1 && (form == CONTENTS || form == BLINDED_CONTENTS)) done = read_metadata(s, entry);
        if (done != 1) return done;
        if (4 * s->n_drafts + s->n_values > (size_t)s->room || s->n_drafts + s->n_values > (size_t)s->objects) return BEYOND;
        if (form == CHAIN) continue; /* the index that leads to its bucket was read */
        while (node != NONE && !s->drafts[node].left) node = s->drafts[node].parent;
        if (node == NONE) return 1;
        done = read_label(s, node);
        if (done != 1) return done;
    }
}

/* -- hashing -------------------------------------------------------------------------------------------------- */

static uint8_t *put_number(uint8_t *p, uint64_t n) {
    for (; n > 127; n >>= 7) *p++ = (uint8_t)((n & 127) | 128);
    *p++ = (uint8_t)n;
    return p;
}

static size_t number_size(uint64_t n) {
    size_t size = 1;
    for (; n > 127; n >>= 7) size++;
    return size;
}

static uint8_t *put(uint8_t *p, const void *data, size_t size) {
    if (size) memcpy(p, data, size);
    return p + size;
}

static uint8_t *put_int64(uint8_t *p, uint64_t n) {
    for (int i = 0; i < 8; i++) *p++ = (uint8_t)(n >> (56 - 8 * i));
    return p;
}

static int is_directory(const Entry *entry) { return entry->kind >= HIDDEN; }

static uint8_t kind_of(const Entry *entry) { return is_directory(entry) ? 0 : entry->own == NO_METADATA ? 1 : 2; }

static size_t own_size(const Entry *entry) { return entry->own == NO_METADATA ? 0 : entry->own; }

static uint8_t *put_own(uint8_t *p, const Proof *s, const Entry *entry) {
    return entry->own == NO_METADATA ? p : put(p, metadata_of(s, entry), entry->own);
}

/* Whether these bytes, which begin with 01, are those of an inode. */
static int is_inode(const Proof *s, const uint8_t *data, size_t size) {
    Reader r = {data + 1, data + size};
    int64_t depth = varint(&r), total = varint(&r), n = varint(&r), before = -1;
    Py_ssize_t most = depth || s->leaf > s->stable ? s->leaf : s->stable;
    if (depth < 0 || depth >= s->levels || total <= most || n < 1 || n > s->fanout) return 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t index = varint(&r);
        if (index <= before || index >= s->fanout || !take(&r, (size_t)s->hash_size)) return 0;
        before = index;
    }
    return r.at == r.end;
}

/* The canonical bytes of the node, of whose entries all hashes are known; NULL with no error set if no directory has them. */
static PyObject *node_bytes(const Proof *s, const Draft *d) {
    size_t hash = (size_t)s->hash_size, prefix = (size_t)PyBytes_GET_SIZE(s->directory), own = 1, size;
    int flat = !d->inner && !d->listed;
    if (d->inner)
        size = 1 + number_size(d->level) + number_size((uint64_t)d->length) + number_size(d->n);
    else if (d->listed)
        size = 1 + number_size(d->n);
    else
        size = s->tezos ? 8 : prefix + number_size(d->n);
    if (d->inner)
        own = 0;
    else if (flat && s->tezos)
        own = 16;
    EACH_ENTRY(s, d, entry) {
        size += own + number_size(entry->size) + (d->inner ? 0 : entry->size) + hash + own_size(entry);
        if (!d->inner && is_directory(entry) && !memcmp(hash_of(s, entry), s->empty, hash)) return NULL;
    }
    PyObject *data = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!data) return NULL;
    uint8_t *p = (uint8_t *)PyBytes_AS_STRING(data), *end = p + size;
    if (d->inner) {
        *p++ = 1;
        p = put_number(put_number(put_number(p, d->level), (uint64_t)d->length), d->n);
        EACH_ENTRY(s, d, entry) p = put(put_number(p, entry->size), hash_of(s, entry), hash);
    } else if (d->listed) {
        *p++ = 0;
        p = put_number(p, d->n);
        EACH_ENTRY(s, d, entry) {
            p = put(put_number(p, entry->size), entry->label, entry->size);
            *p++ = kind_of(entry);
            p = put_own(put(p, hash_of(s, entry), hash), s, entry);
        }
    } else if (s->tezos) {
        p = put_int64(p, d->n);
        EACH_ENTRY(s, d, entry) {
            p = put_int64(p, is_directory(entry) ? 0 : UINT64_C(0xFF) << 56);
            p = put(put_number(p, entry->size), entry->label, entry->size);
            p = put(put_int64(p, hash), hash_of(s, entry), hash);
        }
    } else {
        put_number(put(p, PyBytes_AS_STRING(s->directory), prefix), d->n);
        /* The last entry comes first. */
        EACH_ENTRY(s, d, entry) {
            end -= 1 + own_size(entry) + number_size(entry->size) + entry->size + hash;
            *end = kind_of(entry);
            put(put(put_number(put_own(end + 1, s, entry), entry->size), entry->label, entry->size), hash_of(s, entry), hash);
        }
        /* Without a prefix, a directory with one step may have the bytes of an inode, too. */
        if (d->n == 1 && *p == 1 && is_inode(s, p, size)) Py_CLEAR(data);
    }
    return data;
}

/* Puts `data`, whose reference it takes, into the dict under the hash: 1, or -1 with an error set. */
static int keep(PyObject *dict, const uint8_t *hash, Py_ssize_t size, PyObject *data) {
    PyObject *key = data ? PyBytes_FromStringAndSize((const char *)hash, size) : NULL;
    int done = key ? PyDict_SetItem(dict, key, data) : -1;
    Py_XDECREF(key);
    Py_XDECREF(data);
    return done < 0 ? -1 : 1;
}

/* Hashes the value, and puts it into the dict. */
static int hash_value(Proof *s, uint32_t number, PyObject *contents) {
    const Value *value = &s->values[number];
    size_t prefix = s->tezos ? 8 : (size_t)PyBytes_GET_SIZE(s->contents), size = prefix + value->size;
    if (s->room_scratch < size && !grow((void **)&s->scratch, &s->room_scratch, 0, size, 1)) return -1;
    uint8_t *hash = s->found + (size_t)number * (size_t)s->hash_size;
    if (s->tezos)
        put_int64(s->scratch, value->size);
    else
        put(s->scratch, PyBytes_AS_STRING(s->contents), prefix);
    put(s->scratch + prefix, value->data, value->size);
    int done = size ? state_digest(s, s->scratch, size, hash) : state_digest(s, (const uint8_t *)"", 0, hash);
    if (done != 1) return done;
    return keep(contents, hash, s->hash_size, PyBytes_FromStringAndSize((const char *)value->data, (Py_ssize_t)value->size));
}

/* Hashes all nodes, from the last to the first, and the values of each before it. */
static int hash_all(Proof *s, PyObject *nodes, PyObject *contents) {
    s->found = PyMem_Malloc((s->n_values + 1) * (size_t)s->hash_size);
    if (!s->found) {
        PyErr_NoMemory();
        return -1;
    }
    for (size_t number = s->n_drafts; number--;) {
        Draft *d = &s->drafts[number];
        if (!d->inner) {
            EACH_ENTRY(s, d, entry) {
                int done = entry->kind == VALUE ? hash_value(s, entry->to, contents) : 1;
                if (done != 1) return done;
            }
        }
        PyObject *data = node_bytes(s, d);
        if (!data) return PyErr_Occurred() ? -1 : 0;
        int done = state_digest(s, (const uint8_t *)PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data), d->hash);
        if (done != 1) {
            Py_DECREF(data);
            return done;
        }
        done = keep(nodes, d->hash, s->hash_size, data);
        if (done != 1) return done;
    }
    return 1;
}

/* The labels that lead to the node, from itself upwards: steps as bytes, indices as ints; a new list. */
static PyObject *way_to(const Proof *s, uint32_t number) {
    PyObject *way = PyList_New(0);
    for (; way && s->drafts[number].parent != NONE; number = s->drafts[number].parent) {
        const Entry *entry = &s->entries[s->drafts[number].label];
        PyObject *label = entry->label ? PyBytes_FromStringAndSize((const char *)entry->label, entry->size)
                                       : PyLong_FromUnsignedLong(entry->size);
        if (!label || PyList_Append(way, label) < 0) Py_CLEAR(way);
        Py_XDECREF(label);
    }
    return way;
}

/* read_state(data, at, tezos, directory, contents, own, digest, hash_size, fanout, leaf, stable, levels, order, digit, empty, skip,
 * usual, depth, room, objects, longest) */
FUNCTION(read_state) {
    if (nargs != 21) return REFER(read_state);
    for (int i = 0; i < 21; i++) {
        int bytes = i == 0 || i == 3 || i == 4 || i == 14 || i == 16, object = i == 6 || i == 13 || i == 15;
        if (bytes ? !PyBytes_CheckExact(args[i]) : !object && size_of(args[i]) < 0) return REFER(read_state);
    }
    Py_ssize_t at = size_of(args[1]), size = PyBytes_GET_SIZE(args[0]);
    Proof s = {
        .tezos = size_of(args[2]) > 0,
        .directory = args[3],
        .contents = args[4],
        .own = size_of(args[5]) > 0,
        .digest = args[6],
        .hash_size = size_of(args[7]),
        .fanout = size_of(args[8]),
        .leaf = size_of(args[9]),
        .stable = size_of(args[10]),
        .levels = size_of(args[11]),
        .order = size_of(args[12]) > CUSTOM ? -1 : (int)size_of(args[12]),
        .digit = args[13],
        .usual = args[16],
        .empty = (const uint8_t *)PyBytes_AS_STRING(args[14]),
        .depth = size_of(args[17]),
        .room = size_of(args[18]),
        .objects = size_of(args[19]),
        .longest = size_of(args[20]),
    };
    while (s.width < 8 && s.fanout >> s.width > 1) s.width++;
    int known = PyCallable_Check(args[6]) && at <= size && size <= MOST_STATE && s.hash_size >= SHORTEST_HASH && s.hash_size <= LONGEST_HASH &&
                PyBytes_GET_SIZE(args[14]) == s.hash_size && s.fanout == (Py_ssize_t)1 << s.width && s.width >= 1 &&
                s.order >= 0 && (s.order == NO_INODES) == (s.levels == 0) && s.levels <= 64 && s.leaf >= 1 &&
                (s.order != BITS || s.levels * s.width <= 8 * s.hash_size) && PyBytes_GET_SIZE(s.directory) <= 1 &&
                PyBytes_GET_SIZE(s.contents) <= 1 && (s.order != CUSTOM || PyCallable_Check(s.digit)) &&
                (!s.tezos || args[15] == Py_None);
    if (!known) return REFER(read_state);
    int done = metadata_init(&s.metadata, args[0], args[15]);
    if (!done) return REFER(read_state);
    const uint8_t *start = (const uint8_t *)PyBytes_AS_STRING(args[0]);
    s.r.at = start + at;
    s.r.end = start + size;
    s.nodes.slots = s.nodes.few;
    s.known.slots = s.known.few;
    PyObject *nodes = PyDict_New(), *contents = PyDict_New(), *way = NULL, *answer = NULL;
    uint32_t apart = NONE;
    /* Even a path of nothing is copied and compared: there is room for one. */
    if (done == 1 && !(nodes && contents && grow((void **)&s.paths, &s.room_paths, 0, (size_t)s.levels, 1))) done = -1;
    if (done == 1) done = read_all(&s);
    if (done == 1) done = hash_all(&s, nodes, contents);
    if (done == 1) done = state_fits(&s, &apart);
    if (done == 1) {
        way = apart == NONE ? Py_NewRef(Py_None) : way_to(&s, apart);
        if (way)
            answer = Py_BuildValue("ny#OOOO", (Py_ssize_t)(s.r.at - start), (const char *)s.drafts[0].hash, s.hash_size, nodes,
                                   contents, way, s.metadata.found);
    }
    Py_XDECREF(way);
    Py_XDECREF(nodes);
    Py_XDECREF(contents);
    Py_XDECREF(s.metadata.found);
    table_free(&s.nodes);
    table_free(&s.known);
    PyMem_Free(s.found);
    PyMem_Free(s.drafts);
    PyMem_Free(s.entries);
    PyMem_Free(s.values);
    PyMem_Free(s.paths);
    PyMem_Free(s.scratch);
    if (!answer && !PyErr_Occurred()) return done == UNUSUAL ? REFER(read_state) : refused_at(done, s.r.at - start);
    return answer;
}

PyMethodDef read_state_methods[] = {
    METHOD(read_state, "The state of a tree proof in Irmin's form, hashed and checked."),
    {NULL, NULL, 0, NULL},
};
