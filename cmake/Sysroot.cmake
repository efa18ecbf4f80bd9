# What the toolchain files of other architectures have in common: compile and look for libraries in ptio_sysroot alone.
# cmake/sysroot.sh fills it, with the packages that Debian has for that architecture.

set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_C_COMPILER ${ptio_compiler})
cmake_path(NORMAL_PATH ptio_sysroot)
set(CMAKE_SYSROOT ${ptio_sysroot})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${ptio_sysroot})
set(ENV{PKG_CONFIG_LIBDIR} ${ptio_sysroot}/usr/lib/${ptio_libraries}/pkgconfig:${ptio_sysroot}/usr/share/pkgconfig)
