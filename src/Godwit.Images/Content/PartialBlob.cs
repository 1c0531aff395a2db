using System.Security.Cryptography;
using Godwit.Linux.Files;
using Godwit.Oci;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Images.Content;

/// <summary>
/// A blob while it arrives. One writer appends; readers follow behind it in the same file, so that unpacking goes on while
/// the rest is still under way, and memory holds none of it. At the end the digest decides whether it becomes a blob.
/// <code>
///   network ──Append──▶ partial/sha256-… ──(page cache)──▶ readers wait for the writer, never the writer for them
///                         └─Complete: length, digest, fsync, rename─▶ blobs/sha256-…
/// </code>
/// </summary>
internal sealed class PartialBlob : IDisposable
{
    private const int BufferBytes = 256 << 10;
    private const int BeginWritingBytes = 8 << 20;

    private readonly Lock gate = new();
    private readonly Descriptor content;
    private readonly string path;
    private readonly string target;
    private readonly SafeFileHandle file;
    private readonly IncrementalHash hash;
    private TaskCompletionSource moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long available;
    private bool finished;
    private Exception? failure;

    /// <summary>Opens or makes the file. What is in it is hashed first, and is available at once.</summary>
    public PartialBlob(Descriptor content, string path, string target)
    {
        (this.content, this.path, this.target) = (content, path, target);
        hash = content.Digest.CreateHash();
        try
        {
            file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite);
            if (RandomAccess.GetLength(file) > content.SizeBytes)
            {
                RandomAccess.SetLength(file, 0);
            }

            HashAgain();
        }
        catch (IOException refusal)
        {
            throw ContentStore.CannotWrite(content.Digest, refusal);
        }
    }

    public long AvailableBytes
    {
        get
        {
            lock (gate)
            {
                return available;
            }
        }
    }

    /// <summary>Adds bytes at the end.</summary>
    /// <exception cref="ImageException">There are more than the blob has, or they cannot be written.</exception>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > content.SizeBytes - available)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"More bytes came for {content.Digest} than the {content.SizeBytes} that it has.");
        }

        try
        {
            RandomAccess.Write(file, bytes, available);
        }
        catch (IOException refusal)
        {
            throw ContentStore.CannotWrite(content.Digest, refusal);
        }

        hash.AppendData(bytes);
        var count = bytes.Length;
        // It is synced at its end: until then it goes to the disk while the rest comes.
        if ((available + count) / BeginWritingBytes != available / BeginWritingBytes)
        {
            HeldFolder.BeginWriting(file);
        }

        Move(() => available += count);
    }

    /// <summary>Checks length and digest and makes it a blob. What turns out wrong is thrown away.</summary>
    public void Complete()
    {
        if (available != content.SizeBytes)
        {
            throw new ImageException(ImageErrorKind.Corrupt, $"Only {available} bytes came for {content.Digest}, which has {content.SizeBytes}.");
        }

        var digest = Digest.FromHash(hash.GetHashAndReset());
        if (digest != content.Digest)
        {
            File.Delete(path);
            throw new ImageException(ImageErrorKind.Corrupt, $"The bytes that came for {content.Digest} have another digest: {digest}.");
        }

        try
        {
            RandomAccess.FlushToDisk(file);
            File.Move(path, target, overwrite: true);
            DurableFile.SyncFolder(Path.GetDirectoryName(target)!);
        }
        catch (IOException refusal)
        {
            throw ContentStore.CannotWrite(content.Digest, refusal);
        }

        Move(() => finished = true);
    }

    /// <summary>Gives its room back: nothing is kept to be gone on with. Only before it is complete.</summary>
    public void Discard() => File.Delete(path);

    /// <summary>Nothing more comes: readers get this failure.</summary>
    public void Fail(Exception reason) => Move(() => failure = reason);

    /// <summary>Reads from the first byte on, waiting for bytes that are still to come. Blocking; ends with the blob, or with its failure.</summary>
    public Stream OpenReader(CancellationToken stopping) => new Follower(this, stopping);

    public void Dispose()
    {
        Move(() => failure ??= finished ? null : new OperationCanceledException("The download was given up."));
        file.Dispose();
        hash.Dispose();
    }

    private void HashAgain()
    {
        var buffer = new byte[BufferBytes];
        int count;
        while ((count = RandomAccess.Read(file, buffer, available)) > 0)
        {
            hash.AppendData(buffer.AsSpan(0, count));
            available += count;
        }
    }

    private void Move(Action change)
    {
        TaskCompletionSource waiting;
        lock (gate)
        {
            change();
            waiting = moved;
            moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        waiting.SetResult();
    }

    private sealed class Follower(PartialBlob blob, CancellationToken stopping) : ForwardStream
    {
        private long position;

        public override bool CanRead => true;

        public override int Read(Span<byte> buffer)
        {
            while (true)
            {
                long ready;
                Task waiting;
                lock (blob.gate)
                {
                    if (blob.failure is { } failure)
                    {
                        throw new IOException($"The download of {blob.content.Digest} failed.", failure);
                    }

                    ready = Math.Min(buffer.Length, blob.available - position);
                    waiting = blob.moved.Task;
                }

                if (ready > 0 || position == blob.content.SizeBytes)
                {
                    var count = ready > 0 ? RandomAccess.Read(blob.file, buffer[..(int)ready], position) : 0;
                    position += count;
                    return count;
                }

                waiting.Wait(stopping);
            }
        }
    }
}
