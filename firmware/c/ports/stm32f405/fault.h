/* Faults of the core in a row, across resets. */

#ifndef FAULT_H
#define FAULT_H

#include <stdint.h>

/* Faults since the last fault_forget or loss of power. */
uint32_t fault_count(void);

/* The program has run well for a while. */
void fault_forget(void);

#endif
