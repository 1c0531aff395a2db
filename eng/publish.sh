#!/bin/bash
# publish.sh : makes bin/godwit, the one native program. Ends at once when it is newer than every source.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ -x bin/godwit ] && [ -z "$(find src apps eng Directory.*.props -newer bin/godwit -type f -not -path '*/obj/*' -print -quit)" ]; then exit 0; fi
compiler=()
if ! command -v clang > /dev/null; then compiler=(-p:CppCompilerAndLinker=gcc); fi
echo "publish: compiling bin/godwit to native code (a few minutes the first time)"
dotnet publish apps/godwit/godwit.csproj -c Release -r linux-x64 -v q -clp:NoSummary -o artifacts/native -p:UseSharedCompilation=true "${compiler[@]}"
mkdir -p bin
for file in artifacts/native/*; do case $file in *.dbg|*.pdb|*.xml) ;; *) cp -f "$file" "bin/.new-$(basename "$file")" && mv -f "bin/.new-$(basename "$file")" "bin/$(basename "$file")" ;; esac; done
touch bin/godwit
