/* What the linker script says about the memory. */

#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Ends of the stack (it grows down to the bottom of the RAM, so that an overflow is a fault), of what the program has
 * of the RAM, and of the RAM. */
extern uint32_t memory_stack_bottom[];
extern uint32_t memory_stack_top[];
extern uint8_t memory_used_end[];
extern uint8_t memory_end[];
extern uint8_t memory_begin[];

/* What the stack was painted with before the program began. */
#define MEMORY_PAINT 0xA5C3A5C3u

/* Bytes of stack used so far, and of stack there are. */
size_t memory_stack_used(void);
size_t memory_stack_bytes(void);

#endif
