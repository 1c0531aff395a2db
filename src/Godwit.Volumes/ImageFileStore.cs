using System.Security.Cryptography;
using System.Text;
using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Volumes;

/// <summary>
/// Files that were taken out of images for machines: disks, kernels, initial memory disks. Each is kept once, by what it holds,
/// and each machine gets names of its own for just the files that it uses:
/// <code>
///   FOLDER/files/SHA256            root's alone to enter; 0444, never written again
///   FOLDER/machines/ID/disk-0      0750, root and the machine's group: hard links to the former
///                      images.json root's alone: which images they are of
/// </code>
/// So a machine's QEMU reads its own files and no other's, and can change none. How many names a file has says who uses it, on
/// the disk and whoever died: a file with none but its own goes, unless somebody holds a lease on it (<see cref="ImageFileLease"/>).
/// </summary>
public sealed class ImageFileStore
{
    private const string RecordName = "images.json";
    private const string Unfinished = ".part";
    private const int RecordBytesMax = 1 << 20;
    private const int BufferBytes = 1 << 20;
    private const int HoleBytes = 64 << 10;
    private const UnixFileMode OwnersAlone = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private const UnixFileMode Passable = OwnersAlone | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    private const UnixFileMode Machines = OwnersAlone | UnixFileMode.GroupRead | UnixFileMode.GroupExecute;
    private const UnixFileMode ReadByAll = UnixFileMode.UserRead | UnixFileMode.GroupRead | UnixFileMode.OtherRead;

    private static readonly ProcessUser Root = new(0, 0);

    private readonly string files;
    private readonly string machines;
    private readonly Lock gate = new();
    private readonly Dictionary<string, int> leases = new(StringComparer.Ordinal);

    /// <summary>Makes the folders where they are missing, and removes what a crash left half written.</summary>
    /// <exception cref="LinuxException">The folders cannot be made.</exception>
    public ImageFileStore(string folder)
    {
        Folder = Path.GetFullPath(folder);
        files = Path.Combine(Folder, "files");
        machines = Path.Combine(Folder, "machines");
        Ownership.MakeFolder(Folder, Passable, Root);
        Ownership.MakeFolder(files, OwnersAlone, Root);
        Ownership.MakeFolder(machines, Passable, Root);
        foreach (var half in Directory.EnumerateFiles(files, "*" + Unfinished))
        {
            File.Delete(half);
        }
    }

    public string Folder { get; }

    /// <summary>A file by the SHA-256 of its bytes (hexadecimal), held; null when it is not here.</summary>
    public ImageFileLease? Find(string digest)
    {
        if (!IsDigest(digest))
        {
            return null;
        }

        lock (gate)
        {
            return File.Exists(PathOf(digest)) ? Lease(digest) : null;
        }
    }

    /// <summary>Copies a file in, holes kept as holes, and holds it. One that is here already is not kept twice.</summary>
    /// <param name="source">Read from its beginning.</param>
    /// <param name="sizeBytes">How long it is.</param>
    /// <param name="roomBytes">What it will take on the disk.</param>
    /// <param name="what">For words.</param>
    /// <exception cref="VolumeException">No room, or it cannot be read to its end.</exception>
    public async Task<ImageFileLease> KeepAsync(SafeFileHandle source, long sizeBytes, long roomBytes, string what, CancellationToken stopping)
    {
        DiskSpace.Require(files, roomBytes, what);
        var half = Path.Combine(files, $"{Guid.NewGuid():N}{Unfinished}");
        try
        {
            var digest = await Task.Run(() => Copy(source, sizeBytes, half, stopping), stopping);
            lock (gate)
            {
                if (!File.Exists(PathOf(digest)))
                {
                    File.Move(half, PathOf(digest));
                    DurableFile.SyncFolder(files);
                }

                return Lease(digest);
            }
        }
        catch (Exception error) when (error is IOException or LinuxException or UnauthorizedAccessException)
        {
            throw new VolumeException($"cannot keep {what} in {files}", error);
        }
        finally
        {
            File.Delete(half);
        }
    }

    /// <summary>Gives a machine its names of files, with a record of what they are. Whole or not at all; what it had before stays its own.</summary>
    /// <param name="machine">Its id, which is a plain name.</param>
    /// <param name="groupId">The group of its user.</param>
    /// <param name="names">Its names, each of a file that the caller holds.</param>
    /// <param name="record">Kept beside them.</param>
    /// <exception cref="VolumeException">The disk refused.</exception>
    public void Give(string machine, uint groupId, IReadOnlyDictionary<string, ImageFileLease> names, byte[] record)
    {
        var own = FolderOf(machine);
        try
        {
            lock (gate)
            {
                Ownership.MakeFolder(own, Machines, new ProcessUser(0, groupId));
                using var from = HeldFolder.Open(files);
                using var to = HeldFolder.Open(own);
                foreach (var (name, file) in names)
                {
                    var bytes = Encoding.ASCII.GetBytes(name);
                    to.Remove(bytes); // Of a build that was cut short.
                    to.MakeHardLink(bytes, from, Encoding.ASCII.GetBytes(file.Digest));
                }

                DurableFile.Write(Path.Combine(own, RecordName), record); // Last: without it the names are rubbish.
                DurableFile.SyncFolder(machines);
            }
        }
        catch (Exception error) when (error is IOException or LinuxException or UnauthorizedAccessException)
        {
            throw new VolumeException($"cannot give the machine {machine} its files of images in {own}", error);
        }
    }

    /// <summary>What was recorded with a machine's names; null: it has none.</summary>
    /// <exception cref="VolumeException">The disk refused.</exception>
    public byte[]? RecordOf(string machine)
    {
        try
        {
            var path = Path.Combine(FolderOf(machine), RecordName);
            return File.Exists(path) && new FileInfo(path).Length <= RecordBytesMax ? File.ReadAllBytes(path) : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"cannot read which images the machine {machine} has", error);
        }
    }

    /// <summary>Where a machine's QEMU finds a file of its own.</summary>
    public string PathFor(string machine, string name) => Path.Combine(FolderOf(machine), name);

    /// <summary>Takes a machine's names away, and then every file that nobody uses. Idempotent.</summary>
    /// <exception cref="VolumeException">The disk refused.</exception>
    public void Release(string machine) => Change(() =>
    {
        Remove(machine);
        Sweep();
    });

    /// <summary>Takes away the names of machines that are gone, and then every file that nobody uses.</summary>
    /// <param name="isThere">Whether this host still has a machine of this id.</param>
    /// <exception cref="VolumeException">The disk refused.</exception>
    public void Collect(Func<string, bool> isThere) => Change(() =>
    {
        foreach (var machine in Directory.EnumerateDirectories(machines).Select(path => Path.GetFileName(path)).Where(machine => !isThere(machine)).ToList())
        {
            Remove(machine);
        }

        Sweep();
    });

    internal void EndLease(string digest)
    {
        lock (gate)
        {
            if (--leases[digest] == 0)
            {
                leases.Remove(digest);
            }
        }
    }

    private static bool IsDigest(string text) => text.Length == 64 && text.All(char.IsAsciiHexDigitLower);

    private ImageFileLease Lease(string digest)
    {
        leases[digest] = leases.GetValueOrDefault(digest) + 1;
        return new ImageFileLease(this, digest, PathOf(digest));
    }

    private string PathOf(string digest) => Path.Combine(files, digest);

    private string FolderOf(string machine) => Guid.TryParseExact(machine, "D", out _)
        ? Path.Combine(machines, machine)
        : throw new ArgumentException($"'{machine}' is no machine's id.", nameof(machine));

    private void Change(Action change)
    {
        try
        {
            lock (gate)
            {
                change();
            }
        }
        catch (Exception error) when (error is IOException or LinuxException or UnauthorizedAccessException)
        {
            throw new VolumeException($"cannot tidy up the files of images in {Folder}", error);
        }
    }

    private void Remove(string machine)
    {
        using var held = HeldFolder.Open(machines);
        held.Remove(Encoding.UTF8.GetBytes(machine));
    }

    private void Sweep()
    {
        using var held = HeldFolder.Open(files);
        foreach (var entry in held.List())
        {
            var name = Encoding.UTF8.GetString(entry.Name);
            if (IsDigest(name) && !leases.ContainsKey(name) && held.Find(entry.Name) is { Links: 1 })
            {
                held.Remove(entry.Name);
            }
        }
    }

    /// <summary>The copy's SHA-256. Synced when it returns, and read-only.</summary>
    private static string Copy(SafeFileHandle source, long sizeBytes, string path, CancellationToken stopping)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write);
        var buffer = new byte[BufferBytes];
        for (long at = 0; at < sizeBytes;)
        {
            stopping.ThrowIfCancellationRequested();
            var count = RandomAccess.Read(source, buffer.AsSpan(0, (int)Math.Min(BufferBytes, sizeBytes - at)), at);
            if (count == 0)
            {
                throw new IOException($"it ends after {at} of {sizeBytes} bytes");
            }

            hash.AppendData(buffer.AsSpan(0, count));
            for (var from = 0; from < count; from += HoleBytes)
            {
                var piece = buffer.AsSpan(from, Math.Min(HoleBytes, count - from));
                if (piece.ContainsAnyExcept((byte)0))
                {
                    RandomAccess.Write(file, piece, at + from);
                }
            }

            at += count;
        }

        RandomAccess.SetLength(file, sizeBytes);
        File.SetUnixFileMode(file, ReadByAll);
        RandomAccess.FlushToDisk(file);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}

/// <summary>A file that stays where it is until this is disposed of, whoever uses it or not.</summary>
public sealed class ImageFileLease : IDisposable
{
    private readonly ImageFileStore store;
    private int ended;

    internal ImageFileLease(ImageFileStore store, string digest, string path)
    {
        this.store = store;
        (Digest, Path) = (digest, path);
    }

    /// <summary>SHA-256 of its bytes, in hexadecimal.</summary>
    public string Digest { get; }

    /// <summary>For root; machines have names of their own.</summary>
    public string Path { get; }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref ended, 1) == 0)
        {
            store.EndLease(Digest);
        }
    }
}
