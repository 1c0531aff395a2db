using System.Security.Cryptography;
using System.Text;
using Godwit.Linux.Files;
using Godwit.Oci;

namespace Godwit.Builder.Building;

/// <summary>
/// What steps have made before: from the digest of all that a step depends on (its base, its text with variables known, the
/// contents of the files it copies) to the image that came of it. One small file a step; the oldest go when there are too many.
/// An entry whose image is gone is no entry.
/// </summary>
public sealed class BuildCache
{
    private const int EntriesMax = 20_000;
    private const int EntryBytesMax = 256;
    private readonly string folder;

    public BuildCache(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder);
    }

    /// <summary>The key for these parts, which no other parts have.</summary>
    public static Digest KeyOf(params IEnumerable<string> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            var bytes = Encoding.UTF8.GetBytes(part);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }

        return Digest.FromHash(hash.GetHashAndReset());
    }

    public Digest? Find(Digest key)
    {
        var path = PathOf(key);
        return new FileInfo(path) is { Exists: true, Length: <= EntryBytesMax } && Digest.TryParse(File.ReadAllText(path), out var image) ? image : null;
    }

    public void Put(Digest key, Digest image) => DurableFile.Write(PathOf(key), Encoding.ASCII.GetBytes(image.ToString()));

    /// <summary>Forgets all, or what is too much.</summary>
    /// <returns>How many entries went.</returns>
    public int Prune(bool all)
    {
        var entries = new DirectoryInfo(folder).EnumerateFiles().OrderByDescending(file => file.LastWriteTimeUtc).Skip(all ? 0 : EntriesMax).ToList();
        entries.ForEach(entry => entry.Delete());
        return entries.Count;
    }

    private string PathOf(Digest key) => Path.Combine(folder, key.Hex);
}
