# What `cmake --install` puts where: header, libraries, pkg-config file, CMake package, command and manual page.

include(CMakePackageConfigHelpers)

install(TARGETS ptio ptio_static EXPORT ptioTargets)
install(TARGETS ptio_command)
install(FILES include/ptio.h TYPE INCLUDE)
install(FILES man/ptio.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES LICENSE README.md TYPE DOC)

# The pkg-config file finds its prefix from where it lies, unless a folder is an absolute path.
file(RELATIVE_PATH pc_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
set(pc_prefix "\${pcfiledir}/${pc_prefix}")
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(pc_prefix "${CMAKE_INSTALL_PREFIX}")
endif()
foreach(folder LIBDIR INCLUDEDIR)
    string(TOLOWER pc_${folder} name)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${folder}}")
        set(${name} "${CMAKE_INSTALL_${folder}}")
    else()
        set(${name} "\${prefix}/${CMAKE_INSTALL_${folder}}")
    endif()
endforeach()
list(JOIN PTIO_PC_REQUIRES " " pc_requires)
set(pc_iconv ${Iconv_LIBRARIES})
configure_file(cmake/ptio.pc.in ptio.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ptio.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/ptio)
configure_package_config_file(cmake/ptioConfig.cmake.in ptioConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(ptioConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ptioConfig.cmake ${PROJECT_BINARY_DIR}/ptioConfigVersion.cmake DESTINATION ${package_folder})
install(EXPORT ptioTargets NAMESPACE ptio:: DESTINATION ${package_folder})
