#!/usr/bin/env bash
# Puts lavapipe (Mesa's Vulkan device on the CPU) and the shim that lets Chromium accept it into a new folder DIR: lib/, icd.json, and
# recipe, which holds RECIPE.
# Installs nothing: packages are fetched with apt and unpacked, so no root is needed. The last line on stderr says what went wrong.
#
#     test/lavapipe/setup.sh DIR RECIPE
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
dir=$1
say() { echo "$*" >&2; }
stop() { say "$*"; exit 1; }

for tool in apt-get dpkg-deb; do command -v $tool >/dev/null || stop "expected $tool (Debian, Ubuntu), to fetch Mesa"; done
mkdir -p "$(dirname "$dir")"
work=$(mktemp -d "$dir.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists,cache/archives}/partial "$work"/{deb,root,new/lib}

# An apt of our own: its lists and its cache lie in the folder, the packages that are installed are the system's.
apt=(apt-get -qq -o Dir::State::lists="$work/apt/lists" -o Dir::Cache="$work/apt/cache" -o Debug::NoLocking=1 -o APT::Sandbox::User=root
  -o APT::Get::List-Cleanup=0 -o APT::Update::Error-Mode=any -o Acquire::Retries=2 -o Acquire::http::Timeout=15)
. /etc/os-release
if [ "${VERSION_CODENAME:-}" = bookworm ]; then
  # Debian 12's own Mesa is too old for Dawn. Mirror: that of the system, where it has one.
  mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
    grep -oE '^(deb|URIs:).* https?://[^ ]+/debian/?( |$)' | grep -oE 'https?://[^ ]+' | head -n 1 || true)
  for suite in bookworm bookworm-updates bookworm-backports; do
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:-http://deb.debian.org/debian} $suite main"
  done >"$work/apt/sources.list"
  apt+=(-o Dir::Etc::sourcelist="$work/apt/sources.list" -o Dir::Etc::sourceparts=/dev/null -t bookworm-backports)
fi
packages=(mesa-vulkan-drivers libvulkan1)
# The Tiny C Compiler stands in where there is none.
command -v cc >/dev/null || packages+=(tcc)
"${apt[@]}" update >&2 || stop "apt-get could not read the lists of packages"
"${apt[@]}" install --download-only --reinstall --no-install-recommends -y "${packages[@]}" >&2 ||
  stop "apt-get could not fetch ${packages[*]}"
# A second C library would break every program that finds it.
rm -f "$work"/apt/cache/archives/libc6*.deb
for deb in "$work"/apt/cache/archives/*.deb; do dpkg-deb -x "$deb" "$work/root"; done

driver=$(find "$work/root" -name libvulkan_lvp.so | head -n 1)
[ -n "$driver" ] || stop "mesa-vulkan-drivers has no libvulkan_lvp.so"
folders=$(find "$work/root" -name '*.so*' -printf '%h\n' | sort -u | paste -sd:)
needed=$(LD_LIBRARY_PATH=$folders ldd "$driver")
missing=$(awk '/not found/ {print $1}' <<<"$needed" | sort -u | xargs)
[ -z "$missing" ] || stop "libvulkan_lvp.so needs $missing, which no package brought"
# The driver, the loader, and what they need of the packages rather than of the system.
loader=$(find "$work/root" -name libvulkan.so.1 | head -n 1)
cp -L "$driver" ${loader:+"$loader"} $(awk -v from="$work/" 'index($3, from) == 1 {print $3}' <<<"$needed") "$work/new/lib/"

if command -v cc >/dev/null; then compile=(cc -O1)
else
  tcc=$(find "$work/root" -path '*/bin/*tcc' -type f | head -n 1)
  compile=("$tcc" -B"$(dirname "$(find "$work/root" -name libtcc1.a | head -n 1)")" -nostdlib)
fi
"${compile[@]}" -shared -fPIC -o "$work/new/lib/libvulkan_lvp_shim.so" "$here/shim.c" >&2 || stop "${compile[0]} could not compile shim.c"
echo '{"file_format_version": "1.0.0", "ICD": {"library_path": "./lib/libvulkan_lvp_shim.so", "api_version": "1.4.305"}}' >"$work/new/icd.json"
echo -n "${2:-}" >"$work/new/recipe"
# Whoever is first wins; both are the same.
mv -T "$work/new" "$dir" 2>/dev/null || [ -e "$dir/icd.json" ] || stop "$dir cannot be written"
