using System.Buffers;
using System.Text;
using Godwit.Images.Tar;
using Godwit.Linux.Files;

namespace Godwit.Builder.Contexts;

/// <summary>A file that COPY or ADD puts into the image and that lies in no tree: it stands in the Dockerfile, or was fetched.</summary>
/// <param name="name">What it is called where the destination is a folder.</param>
/// <param name="contents">Can be read again from its beginning; disposed with this.</param>
/// <param name="mode">Its permissions, unless the step says others.</param>
internal sealed class GivenFile(string name, Stream contents, uint mode, FileTime modified) : IDisposable
{
    private const int ChunkBytes = 128 << 10;

    public string Name => name;

    public static GivenFile Of(string name, string text) => new(name, new MemoryStream(Encoding.UTF8.GetBytes(text)), 0x1a4, default);

    public void Pack(string path, TarWriter tar, Func<TarEntry, TarEntry> change, CancellationToken stopping)
    {
        tar.Begin(change(new TarEntry { Name = Encoding.UTF8.GetBytes(path), Kind = TarKind.File, Mode = mode, Modified = modified, SizeBytes = contents.Length }));
        contents.Position = 0;
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            int count;
            while ((count = contents.Read(buffer)) > 0)
            {
                stopping.ThrowIfCancellationRequested();
                tar.Write(buffer.AsSpan(0, count));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    public void Dispose() => contents.Dispose();
}
