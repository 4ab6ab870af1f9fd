/* Hashes of objects, to be looked up without making objects of them. */
#ifndef IRMINPY_TABLE_H
#define IRMINPY_TABLE_H

#include "core.h"
#include "seek.h"

/* Where a hash lies, NULL for a slot that is free, and what stands for it. */
typedef struct {
    const uint8_t *hash;
    union {
        PyObject *item; /* borrowed */
        size_t number;
    };
    int claimed;    /* whether somebody came for it, see `write_nodes.c` */
} Slot;

/* Open addressing, at most half full. The slot is taken from the high bits of a product with an odd number that is
 * random in each process, as the hashes of Python are: who makes hashes that begin alike does not make it slow. */
typedef struct {
    Slot *slots;
    int bits; /* there are 2^bits slots */
    Slot few[32];
} Table;

extern uint64_t table_secret;

/* Chooses the secret; -1 with an error set. */
int table_begin(void);

/* Makes room for `n` hashes; 0 with MemoryError set. `table_free` undoes it, in any case. */
int table_init(Table *table, size_t n);
void table_free(Table *table);

/* The slot of a hash of `size` bytes, 8 at least, as all in the table have: where it is, or the free one where it belongs. */
static inline Slot *table_slot_of(const Table *table, const uint8_t *hash, size_t size) {
    uint64_t word;
    memcpy(&word, hash, sizeof word);
    size_t mask = ((size_t)1 << table->bits) - 1, i = (size_t)(word * table_secret >> (64 - table->bits));
    while (table->slots[i].hash && memcmp(table->slots[i].hash, hash, size)) i = (i + 1) & mask;
    return &table->slots[i];
}

/* The same in the native format. */
static inline Slot *table_slot(const Table *table, const uint8_t *hash) { return table_slot_of(table, hash, HASH); }

#endif
