# The Debian package: `./dev package`. What is installed stands beside each target.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME mortar)
set(CPACK_PACKAGE_CONTACT "Mortar maintainers <maintainers@mortar.invalid>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "share one accelerator between programs by priority")
set(CPACK_PACKAGE_DESCRIPTION
    "Mortar runs other programs' kernels in the idle time of the program that matters, without changing any of them,\n"
    "and chooses power mode, batch size and interleaving within latency and power budgets.")
string(REPLACE ";" "" CPACK_PACKAGE_DESCRIPTION "${CPACK_PACKAGE_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION utils)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ocl-icd-libopencl1)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "python3 (>= 3.9)")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_SOURCE_DIR}/packaging/prerm)
include(CPack)
