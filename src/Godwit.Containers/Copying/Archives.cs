using System.IO.Pipelines;
using Godwit.Images;
using Godwit.Images.Content;
using Godwit.Images.Tar;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;

namespace Godwit.Containers.Copying;

/// <summary>Tars out of and into a container's files. Packing and unpacking block, so they have a thread of the pool, and a bounded pipe between it and the network.</summary>
internal static class Archives
{
    private const uint FormatFolder = 0x4000;
    private const uint FormatLink = 0xA000;
    private const uint FormatFile = 0x8000;
    private const uint FormatCharacterDevice = 0x2000;
    private const uint FormatBlockDevice = 0x6000;
    private const uint FormatPipe = 0x1000;
    private const uint FormatSocket = 0xC000;

    /// <exception cref="NotThereException">There is no such path.</exception>
    internal static PathFacts Describe(HeldFolder root, ContainerPath path)
    {
        if (path.Text == "/" || path.IsFolder)
        {
            using var folder = root.OpenBeneath(path.Relative) ?? throw Missing(path);
            return Describe(path, folder.Status(), link: null);
        }

        using var parent = root.OpenBeneath(path.RelativeFolder) ?? throw Missing(path);
        var status = parent.Find(path.NameBytes) ?? throw Missing(path);
        return Describe(path, status, status.Kind is FileKind.Link ? parent.ReadLink(path.NameBytes) : null);
    }

    /// <summary>The path's file or folder, under its name.</summary>
    internal static Task WriteAsync(ContainerView view, ContainerPath path, Stream output, CancellationToken stopping) => PackAsync(
        tar =>
        {
            var root = view.Root;
            var options = new PackOptions { Prefix = path.Text == "/" ? [] : path.NameBytes, WithRoot = true, Change = Inside(view) };
            if (path.Text == "/" || path.IsFolder)
            {
                using var folder = root.OpenBeneath(path.Relative) ?? throw Missing(path);
                TreePacker.Pack(folder, tar, options, stopping);
                return;
            }

            using var parent = root.OpenBeneath(path.RelativeFolder) ?? throw Missing(path);
            if (!TreePacker.PackOne(parent, path.NameBytes, tar, options, stopping))
            {
                throw Missing(path);
            }
        },
        output,
        stopping);

    /// <summary>The whole tree.</summary>
    internal static Task WriteTreeAsync(ContainerView view, Stream output, CancellationToken stopping) =>
        PackAsync(tar => TreePacker.Pack(view.Root, tar, new PackOptions { Change = Inside(view) }, stopping), output, stopping);

    /// <summary>Unpacks into the folder.</summary>
    internal static async Task ReadAsync(ContainerView view, ContainerPath folder, Stream archive, CopyInOptions options, CancellationToken stopping)
    {
        using var target = view.Root.OpenBeneath(folder.Relative) ?? throw Missing(folder);
        var unpack = new UnpackOptions { Ids = view.Ids, KeepKinds = options.RefuseKindChange, Owner = options.KeepOwners ? null : (0, 0) };
        var pipe = new Pipe();
        var copying = FeedAsync(archive, pipe.Writer, stopping);
        try
        {
            await Task.Run(
                () =>
                {
                    using var plain = ArchiveDecompression.Open(pipe.Reader.AsStream(), unpack.Limits);
                    return unpack.Ids is { } ids ? UserNamespace.Act(ids, () => TreeUnpacker.Unpack(plain, target, unpack, stopping)) : TreeUnpacker.Unpack(plain, target, unpack, stopping);
                },
                stopping);
        }
        catch (ImageException refusal) when (refusal.Kind is ImageErrorKind.Corrupt or ImageErrorKind.Invalid)
        {
            throw new InvalidRequestException($"cannot unpack into {folder.Text}", refusal);
        }
        finally
        {
            await pipe.Reader.CompleteAsync();
            await copying;
        }
    }

    /// <summary>With the container's own ids, where its files are seen with others.</summary>
    private static Func<TarEntry, TarEntry>? Inside(ContainerView view) => view.Ids is { } ids
        ? entry => entry with { UserId = ids.UserInside(entry.UserId), GroupId = ids.GroupInside(entry.GroupId) }
        : null;

    private static async Task PackAsync(Action<TarWriter> pack, Stream output, CancellationToken stopping)
    {
        var pipe = new Pipe();
        var packing = Task.Run(
            () =>
            {
                try
                {
                    using var stream = pipe.Writer.AsStream(leaveOpen: true);
                    var tar = new TarWriter(stream);
                    pack(tar);
                    tar.End();
                    stream.Flush();
                    pipe.Writer.Complete();
                }
                catch (Exception failure)
                {
                    pipe.Writer.Complete(failure); // The reader throws it on.
                }
            },
            CancellationToken.None);
        try
        {
            await pipe.Reader.CopyToAsync(output, stopping);
        }
        finally
        {
            // A writer whose reader is gone is told so by its next write.
            await pipe.Reader.CompleteAsync();
            await packing;
        }
    }

    private static async Task FeedAsync(Stream source, PipeWriter writer, CancellationToken stopping)
    {
        try
        {
            await source.CopyToAsync(writer, stopping);
            await writer.CompleteAsync();
        }
        catch (Exception failure)
        {
            await writer.CompleteAsync(failure); // The reader throws it on.
        }
    }

    private static NotThereException Missing(ContainerPath path) => new($"Could not find the file {path.Text} in the container");

    private static PathFacts Describe(ContainerPath path, FileStatus status, byte[]? link) => new(
        path.Name,
        status.SizeBytes,
        status.Mode | status.Kind switch
        {
            FileKind.Folder => FormatFolder,
            FileKind.Link => FormatLink,
            FileKind.CharacterDevice => FormatCharacterDevice,
            FileKind.BlockDevice => FormatBlockDevice,
            FileKind.Pipe => FormatPipe,
            FileKind.Socket => FormatSocket,
            _ => FormatFile,
        },
        DateTimeOffset.FromUnixTimeSeconds(status.Modified.Seconds).AddTicks(status.Modified.Nanoseconds / TimeSpan.NanosecondsPerTick),
        link is null ? "" : System.Text.Encoding.UTF8.GetString(link));
}
