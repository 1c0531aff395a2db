using Godwit.Linux.Files;

namespace Godwit.Volumes;

/// <summary>The name of one piece of storage, the same on every host that has it mounted.</summary>
public readonly record struct StorageId(Guid Value)
{
    public override string ToString() => Value.ToString("D");
}

/// <summary>
/// Which storage a path lies on. Mount tables cannot tell: the same export has other names on other hosts. So the storage
/// itself carries a marker, a file with a UUID at its top, and hosts compare what they read.
/// </summary>
/// <param name="Id">What the marker says.</param>
/// <param name="Root">The folder on this host that holds the marker.</param>
public sealed record StorageIdentity(StorageId Id, string Root)
{
    public const string MarkerName = ".godwit-storage";

    private const int MarkerBytes = 36;

    /// <summary>The storage that a path lies on: the nearest folder above it with a marker; null when none has one.</summary>
    /// <exception cref="VolumeException">A marker is there but says nothing that can be used.</exception>
    public static StorageIdentity? Find(string path)
    {
        for (var folder = Path.GetFullPath(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            var marker = Path.Combine(folder, MarkerName);
            if (File.Exists(marker))
            {
                return new StorageIdentity(Read(marker), folder);
            }
        }

        return null;
    }

    /// <summary>Marks a folder as the top of a storage, unless it is one already. Safe when several hosts do so at once: they all get the same id.</summary>
    public static StorageIdentity Ensure(string folder)
    {
        var marker = Path.Combine(folder, MarkerName);
        if (!File.Exists(marker))
        {
            var temporary = $"{marker}.{Guid.NewGuid():N}.new";
            try
            {
                DurableFile.Write(temporary, System.Text.Encoding.ASCII.GetBytes(Guid.NewGuid().ToString("D")), DurableFile.Private | UnixFileMode.GroupRead | UnixFileMode.OtherRead);
                File.Move(temporary, marker, overwrite: false); // A link, which fails where one is: the first one wins.
                DurableFile.SyncFolder(folder);
            }
            catch (IOException) when (File.Exists(marker))
            {
                // Another host was first.
            }
            finally
            {
                File.Delete(temporary);
            }
        }

        return new StorageIdentity(Read(marker), folder);
    }

    /// <summary>A disk as this host sees it, to be compared with what another host sees; null when it lies on no marked storage.</summary>
    public static SharedDiskView? View(string path) =>
        Find(path) is { } storage && FileIdentity.Find(path) is { } file
            ? new SharedDiskView(storage.Id, Path.GetRelativePath(storage.Root, path), file.InodeNumber, file.Kind, file.SizeBytes)
            : null;

    /// <summary>
    /// Puts a secret of this moment on the storage. Who can read it there sees this very storage now, and not a copy of it, whatever its marker says;
    /// until it is disposed of.
    /// </summary>
    /// <exception cref="VolumeException">The storage cannot be written.</exception>
    public StorageProof Prove()
    {
        var name = $"{StorageProof.NamePrefix}{Guid.NewGuid():N}";
        var secret = Guid.NewGuid().ToString("N");
        try
        {
            DurableFile.Write(Path.Combine(Root, name), System.Text.Encoding.ASCII.GetBytes(secret));
            return new StorageProof(Path.Combine(Root, name), name, secret);
        }
        catch (Exception error) when (error is Linux.LinuxException or IOException or UnauthorizedAccessException)
        {
            throw new VolumeException($"cannot write to the storage at {Root}, so no other host can be asked whether it sees the same", error);
        }
    }

    /// <summary>What another host has put on this storage just now; null: it is not here.</summary>
    public string? ReadProof(string name)
    {
        if (!name.StartsWith(StorageProof.NamePrefix, StringComparison.Ordinal) || !Guid.TryParseExact(name[StorageProof.NamePrefix.Length..], "N", out _))
        {
            return null; // Asked by another host: only what it may have put there is read.
        }

        var path = Path.Combine(Root, name);
        return FileIdentity.Find(path) is { Kind: FileKind.Regular } ? System.Text.Encoding.ASCII.GetString(DiskImage.ReadStart(path, StorageProof.SecretBytes, out _)) : null;
    }

    private static StorageId Read(string marker)
    {
        var text = System.Text.Encoding.ASCII.GetString(DiskImage.ReadStart(marker, MarkerBytes + 1, out _)).TrimEnd('\n');
        return Guid.TryParseExact(text, "D", out var id) && id != Guid.Empty
            ? new StorageId(id)
            : throw new VolumeException($"{marker} does not hold the UUID of a storage; remove it if no VM uses this storage, and it will be made anew.");
    }
}

/// <summary>A secret that lies on a storage while it is not disposed of.</summary>
public sealed class StorageProof(string path, string name, string secret) : IDisposable
{
    internal const string NamePrefix = ".godwit-proof-";
    internal const int SecretBytes = 32;

    public string Name => name;

    public string Secret => secret;

    public void Dispose() => File.Delete(path);
}

/// <summary>A disk in words that mean the same on every host.</summary>
public sealed record SharedDiskView(StorageId Storage, string RelativePath, ulong InodeNumber, FileKind Kind, long SizeBytes)
{
    /// <summary>Whether both hosts mean one and the same disk; if not, why.</summary>
    /// <param name="source">As the host sees it on which the guest runs.</param>
    /// <param name="target">As the other host sees it; null when it has no such file on marked storage.</param>
    /// <returns>Null when it is shared; else the reason in words.</returns>
    public static string? FindDifference(SharedDiskView? source, SharedDiskView? target) => (source, target) switch
    {
        (null, _) => "at the source the disk lies on no shared storage",
        (_, null) => $"the target does not see {source.RelativePath} on storage {source.Storage}: mount it there",
        _ when source.Storage != target.Storage => $"the target's file lies on storage {target.Storage}, the source's on {source.Storage}",
        _ when source.RelativePath != target.RelativePath => $"on the storage it is {source.RelativePath} at the source and {target.RelativePath} at the target",
        _ when source.Kind != target.Kind => $"it is a {source.Kind} at the source and a {target.Kind} at the target",
        _ when source.InodeNumber != target.InodeNumber => $"the hosts see different files under {source.RelativePath}: was the storage's marker copied with its contents?",
        _ => null,
    };
}
