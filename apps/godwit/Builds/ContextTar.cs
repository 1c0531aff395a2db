using System.Net;
using System.Text;
using Godwit.Builder.Contexts;
using Godwit.Images.Tar;
using Godwit.Linux.Files;

namespace Godwit.App.Builds;

/// <summary>A build's context as the body of a request: the folder as a tar, without what its <c>.dockerignore</c> leaves out, packed while it is sent.</summary>
/// <param name="context">The folder.</param>
/// <param name="dockerfile">A Dockerfile from elsewhere, sent under <see cref="OtherDockerfile"/>; null when it is in the context.</param>
/// <param name="sent">Told how many bytes have gone.</param>
internal sealed class ContextTar(string context, string? dockerfile, Action<long> sent) : HttpContent
{
    /// <summary>What a Dockerfile is called that does not lie in the context.</summary>
    public const string OtherDockerfile = ".godwit.Dockerfile";

    private const string IgnoreName = ".dockerignore";

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken) => Task.Run(() => Pack(stream, cancellationToken), cancellationToken);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private void Pack(Stream stream, CancellationToken stopping)
    {
        var ignoreFile = Path.Combine(context, IgnoreName);
        var rules = File.Exists(ignoreFile) ? IgnoreRules.Read(File.ReadAllText(ignoreFile)) : null;
        using var root = HeldFolder.Open(context);
        using var buffered = new BufferedStream(new CountedStream(stream, sent), 256 << 10);
        var tar = new TarWriter(buffered);
        TreePacker.Pack(root, tar, new PackOptions { LeaveOut = path => rules is not null && LeavesOut(rules, Encoding.UTF8.GetString(path)) }, stopping);
        if (dockerfile is not null)
        {
            var text = File.ReadAllBytes(dockerfile);
            tar.Add(new TarEntry { Name = Encoding.UTF8.GetBytes(OtherDockerfile), Kind = TarKind.File, Mode = 0x1A4, SizeBytes = text.Length }, text);
        }

        tar.End();
        buffered.Flush();
    }

    /// <summary>The Dockerfile is always sent, for the engine reads it; and every folder in which an exception might be.</summary>
    private bool LeavesOut(IgnoreRules rules, string path) =>
        path != "Dockerfile" && rules.Ignores(path) && !(rules.HasExceptions && Directory.Exists(Path.Combine(context, path)));

    /// <summary>Passes on and counts.</summary>
    private sealed class CountedStream(Stream below, Action<long> sent) : Stream
    {
        private long count;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => count;
            set => throw new NotSupportedException();
        }

        public override void Flush() => below.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count)
        {
            below.Write(buffer, offset, count);
            sent(this.count += count);
        }
    }
}
