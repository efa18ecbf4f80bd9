/*
 * Opening NVIDIA's driver library, and the names of its errors.
 */
#include "tensor/cuda_driver.h"

#include <stdio.h>

#define NAME(member, name, arguments) .member = name,
const ptio_cuda_names ptio_cuda_name = {PTIO_CUDA_FUNCTIONS(NAME)};
#undef NAME

bool ptio_cuda_driver_open(ptio_cuda_driver *driver, const char *library, char *why, size_t size)
{
    *driver = (ptio_cuda_driver){.library = ptio_os_library_open(library, why, size)};
    if (!driver->library)
        return false;
#define FIND(member, name, arguments)                                      \
    if (!ptio_os_library_find(driver->library, name, &driver->member)) {   \
        (void)snprintf(why, size, "%s has no function %s", library, name); \
        ptio_cuda_driver_close(driver);                                    \
        return false;                                                      \
    }
    PTIO_CUDA_FUNCTIONS(FIND)
#undef FIND
    return true;
}

void ptio_cuda_driver_close(ptio_cuda_driver *driver)
{
    if (driver->library)
        ptio_os_library_close(driver->library);
    driver->library = NULL;
}

ptio_status ptio_cuda_check(const ptio_cuda_driver *driver, cuda_result result, const char *function, ptio_error *err)
{
    const char *name = NULL;
    if (!result)
        return PTIO_OK;
    ptio_status status = result == CUDA_OUT_OF_MEMORY ? PTIO_ERR_MEMORY : PTIO_ERR_IO;
    if (driver->error_name(result, &name) != 0 || !name)
        return ptio_fail(err, status, "cuda.failed", PTIO_NO_OFFSET, "%s: error %d", function, result);
    return ptio_fail(err, status, "cuda.failed", PTIO_NO_OFFSET, "%s: %s", function, name);
}
