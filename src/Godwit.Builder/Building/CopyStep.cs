using System.Globalization;
using System.Text;
using Godwit.Builder.Contexts;
using Godwit.Builder.Dockerfiles;
using Godwit.Images;
using Godwit.Images.Content;
using Godwit.Images.Tar;
using Godwit.Linux.Files;

namespace Godwit.Builder.Building;

/// <summary>One COPY or ADD with all variables known: what it copies, where to, as whom.</summary>
internal sealed record CopyPlan
{
    public required IReadOnlyList<string> Sources { get; init; }

    /// <summary>Absolute.</summary>
    public required string Destination { get; init; }

    public required CopyOptions Options { get; init; }

    /// <summary>Null leaves it to the source.</summary>
    public (uint UserId, uint GroupId)? Owner { get; init; }

    public uint? Mode { get; init; }

    public required int Line { get; init; }

    /// <summary>Files whose contents stand in the Dockerfile, or were fetched, by their source's text.</summary>
    public IReadOnlyDictionary<string, GivenFile> Given { get; init; } = new Dictionary<string, GivenFile>(StringComparer.Ordinal);
}

/// <summary>
/// Copies files into a root. Where a source goes is decided as docker has it: a folder's contents go into the destination; a
/// file goes into it if it ends with a slash, is a folder already, or there are several sources; else it becomes it.
/// </summary>
internal sealed class CopyStep(CopyPlan plan, HeldFolder source, CancellationToken stopping)
{
    private readonly CopySources sources = new(source, plan.Line);
    private readonly IgnoreRules excludes = IgnoreRules.Read(string.Join('\n', plan.Options.Excludes));

    /// <summary>A digest of all that would be copied, times aside.</summary>
    public Oci.Digest Digest() => TreeCopy.Digest(tar => Pack(tar, isFolderThere: true, isForDigest: true));

    /// <summary>Copies into the root.</summary>
    public void Copy(HeldFolder root)
    {
        using var present = root.OpenBeneath(Encoding.UTF8.GetBytes(plan.Destination.Trim('/')));
        var isFolder = present is not null;
        TreeCopy.Copy(tar => Pack(tar, isFolder, isForDigest: false), root, new UnpackOptions(), stopping);
        if (plan.Options.IsAdd)
        {
            UnpackArchives(root);
        }
    }

    private void Pack(TarWriter tar, bool isFolderThere, bool isForDigest)
    {
        TarEntry Change(TarEntry entry) => isForDigest ? Changed(entry) with { Modified = default } : Changed(entry);
        var destination = plan.Destination.Trim('/');
        var found = plan.Sources.Where(each => !plan.Given.ContainsKey(each)).SelectMany(sources.Find).ToList();
        var intoFolder = isFolderThere || plan.Destination.EndsWith('/') || destination.Length == 0 || found.Count + plan.Given.Count > 1;
        var options = new PackOptions { Change = Change, LeaveOut = path => plan.Options.Excludes.Count > 0 && excludes.Ignores(Encoding.UTF8.GetString(path)) };
        foreach (var each in found)
        {
            if (each.IsFolder && !isFolderThere)
            {
                tar.Add(Change(new TarEntry { Name = Encoding.UTF8.GetBytes(destination + "/"), Kind = TarKind.Folder, Mode = 0x1ed }), default);
            }

            // An archive is unpacked later; here its bytes count for the digest alone.
            if (isForDigest || !plan.Options.IsAdd || each.IsFolder || !IsArchive(each))
            {
                sources.Pack(each, Place(each, destination, intoFolder), tar, options, stopping);
            }
        }

        foreach (var file in plan.Given.Values)
        {
            if (file.Name.Length == 0 && intoFolder && !isForDigest)
            {
                throw new BuildException($"ADD failed: its address names no file that could go into the folder {plan.Destination}: give the destination a whole name", plan.Line);
            }

            file.Pack(intoFolder ? $"{destination}/{file.Name}" : destination, tar, Change, stopping);
        }
    }

    private string Place(CopySource each, string destination, bool intoFolder)
    {
        var below = plan.Options.KeepsParents ? each.Path : each.IsFolder ? "" : each.Name;
        return below.Length > 0 && (intoFolder || plan.Options.KeepsParents) ? $"{destination}/{below}".TrimStart('/') : destination;
    }

    private TarEntry Changed(TarEntry entry) => entry with
    {
        UserId = plan.Owner?.UserId ?? entry.UserId,
        GroupId = plan.Owner?.GroupId ?? entry.GroupId,
        Mode = entry.Kind is TarKind.SymbolicLink ? entry.Mode : plan.Mode ?? entry.Mode,
    };

    private void UnpackArchives(HeldFolder root)
    {
        foreach (var each in plan.Sources.Where(each => !plan.Given.ContainsKey(each)).SelectMany(sources.Find).Where(each => !each.IsFolder && IsArchive(each)))
        {
            using var file = OpenFile(each);
            using var plain = ArchiveDecompression.Open(file, new UnpackLimits());
            using var target = MakeDestination(root);
            TreeUnpacker.Unpack(plain, target, new UnpackOptions { Owner = plan.Owner is { } owner && plan.Options.Owner is not null ? owner : null }, stopping);
        }
    }

    private HeldFolder MakeDestination(HeldFolder root)
    {
        var destination = Encoding.UTF8.GetBytes(plan.Destination.Trim('/'));
        if (root.OpenBeneath(destination) is { } present)
        {
            return present;
        }

        TreeCopy.Copy(tar => tar.Add(new TarEntry { Name = [.. destination, (byte)'/'], Kind = TarKind.Folder, Mode = 0x1ed }), root, new UnpackOptions(), stopping);
        return root.OpenBeneath(destination) ?? throw new BuildException($"ADD failed: {plan.Destination} cannot be made", plan.Line);
    }

    private FileStream OpenFile(CopySource each)
    {
        var slash = each.Path.LastIndexOf('/');
        using var parent = source.OpenBeneath(Encoding.UTF8.GetBytes(slash < 0 ? "" : each.Path[..slash]));
        var handle = parent?.OpenFile(Encoding.UTF8.GetBytes(each.Name)) ?? throw new BuildException($"ADD failed: {each.Path} is no file that can be read", plan.Line);
        return new FileStream(handle, FileAccess.Read, bufferSize: 64 << 10);
    }

    /// <summary>Whether ADD unpacks it: a tar, plain or compressed. By its contents, never by its name.</summary>
    private bool IsArchive(CopySource each)
    {
        using var file = OpenFile(each);
        try
        {
            using var plain = ArchiveDecompression.Open(file, new UnpackLimits());
            return new TarReader(plain).Next() is not null;
        }
        catch (Exception other) when (other is ImageException { Kind: not ImageErrorKind.Host } or IOException)
        {
            return false;
        }
    }

    /// <summary>Octal permissions.</summary>
    public static uint ReadMode(string text, int line)
    {
        try
        {
            var mode = Convert.ToUInt32(text, 8);
            return mode <= 0xfff ? mode : throw new FormatException("beyond 7777");
        }
        catch (Exception reason) when (reason is FormatException or ArgumentException or OverflowException)
        {
            throw new BuildException($"--chmod={text} is no octal mode such as 755", line, reason);
        }
    }

    /// <summary><c>user[:group]</c>, by number, or by name from the root's own files.</summary>
    public static (uint UserId, uint GroupId) ReadOwner(string text, HeldFolder root, int line)
    {
        var parts = text.Split(':', 2);
        var user = Id(parts[0], root, "passwd", line);
        return (user, parts.Length == 2 ? Id(parts[1], root, "group", line) : user);
    }

    private static uint Id(string name, HeldFolder root, string fileName, int line)
    {
        const int bytesMax = 1 << 20;
        if (uint.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id))
        {
            return id;
        }

        using var etc = root.OpenBeneath("etc"u8);
        using var file = etc?.OpenFile(Encoding.UTF8.GetBytes(fileName));
        if (file is not null)
        {
            var bytes = new byte[(int)Math.Min(bytesMax, RandomAccess.GetLength(file))];
            var text = Encoding.UTF8.GetString(bytes, 0, RandomAccess.Read(file, bytes, 0));
            if (text.Split('\n').Select(entry => entry.Split(':')).FirstOrDefault(fields => fields.Length > 2 && fields[0] == name) is { } found
                && uint.TryParse(found[2], NumberStyles.None, CultureInfo.InvariantCulture, out id))
            {
                return id;
            }
        }

        throw new BuildException($"--chown={name}: there is no such name in the image's /etc/{fileName}: give a number", line);
    }
}
