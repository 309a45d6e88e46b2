/* Memory for any image, about 9 MB of zeros that this machine only provides where they are used. */

#ifndef HOST_MEMORY_H
#define HOST_MEMORY_H

#include "tocsin_device.h"

struct tocsin_memory host_memory(void);

#endif
