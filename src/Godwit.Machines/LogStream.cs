using Godwit.Linux.Files;
using Microsoft.Win32.SafeHandles;

namespace Godwit.Machines;

/// <summary>
/// Reads a bounded log: the older part, then the current one, then, when following, what is appended until the machine
/// has ended. When the log is cut meanwhile, reading goes on at its new start.
/// </summary>
internal sealed class LogStream : Stream
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);

    private readonly SafeFileHandle? older;
    private readonly string currentPath;
    private readonly Func<bool>? isLive;
    private readonly Func<CancellationToken, Task>? refresh;
    private readonly TimeProvider clock;
    private SafeFileHandle? current;
    private long olderPosition;
    private long currentPosition;

    /// <param name="olderPath">What was cut off.</param>
    /// <param name="currentPath">What is appended to.</param>
    /// <param name="tailLines">Begin so many lines before the end; null begins at the beginning.</param>
    /// <param name="isLive">Whether more may come; null does not follow.</param>
    /// <param name="clock">For the pauses between looks.</param>
    /// <param name="refresh">Called before each look of a follower: brings to the file what waits elsewhere.</param>
    public LogStream(string olderPath, string currentPath, int? tailLines, Func<bool>? isLive, TimeProvider clock, Func<CancellationToken, Task>? refresh = null)
    {
        this.refresh = refresh;
        this.currentPath = currentPath;
        this.isLive = isLive;
        this.clock = clock;
        older = GuardedFile.TryOpenRead(olderPath);
        current = GuardedFile.TryOpenRead(currentPath);
        if (tailLines is { } lines)
        {
            var olderLength = older is null ? 0 : RandomAccess.GetLength(older);
            var start = FindTail(Math.Max(0, lines), olderLength, olderLength + (current is null ? 0 : RandomAccess.GetLength(current)));
            olderPosition = Math.Min(start, olderLength);
            currentPosition = Math.Max(0, start - olderLength);
        }
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty)
        {
            return 0;
        }

        while (true)
        {
            var live = isLive?.Invoke() ?? false; // Asked before the read: what is written before the end is then still seen.
            if (ReadNow(buffer.Span) is > 0 and var read)
            {
                return read;
            }

            if (!live)
            {
                return 0;
            }

            await Task.Delay(Look, clock, cancellationToken);
            await (refresh?.Invoke(cancellationToken) ?? Task.CompletedTask);
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Read it asynchronously.");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            older?.Dispose();
            current?.Dispose();
        }

        base.Dispose(disposing);
    }

    private int ReadNow(Span<byte> buffer)
    {
        if (older is not null && RandomAccess.Read(older, buffer, olderPosition) is > 0 and var fromOlder)
        {
            olderPosition += fromOlder;
            return fromOlder;
        }

        current ??= GuardedFile.TryOpenRead(currentPath);
        if (current is null)
        {
            return 0; // Nothing has been said so far.
        }

        if (RandomAccess.GetLength(current) < currentPosition)
        {
            currentPosition = 0;
        }

        var read = RandomAccess.Read(current, buffer, currentPosition);
        currentPosition += read;
        return read;
    }

    /// <summary>Where the last lines begin, in the two files taken as one. A newline at the very end ends a line and begins none.</summary>
    private long FindTail(int lines, long olderLength, long end)
    {
        var block = new byte[64 << 10];
        var position = end;
        var found = 0;
        while (lines > 0 && position > 0)
        {
            var floor = position > olderLength ? olderLength : 0;
            var start = Math.Max(floor, position - block.Length);
            var part = block.AsSpan(0, (int)(position - start));
            var read = start >= olderLength ? RandomAccess.Read(current!, part, start - olderLength) : RandomAccess.Read(older!, part, start);
            for (var index = read - 1; index >= 0; index--)
            {
                if (part[index] == (byte)'\n' && start + index < end - 1 && ++found == lines)
                {
                    return start + index + 1;
                }
            }

            position = start;
        }

        return lines == 0 ? end : 0;
    }
}
