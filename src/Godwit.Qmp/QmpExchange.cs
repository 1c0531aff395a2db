using System.Buffers;
using System.IO.Pipelines;
using System.Security.Cryptography;

namespace Godwit.Qmp;

/// <summary>
/// One command and its answer on a monitor that is never disconnected (a pair of FIFOs), by whoever comes: whatever else
/// is waiting there to be read, be it the answer to somebody who died, half a line or old events, is thrown away until
/// the answer with this exchange's own id comes. The id is random, so that nobody else's can be taken for it.
/// <para>Such a monitor keeps the capabilities that were once chosen. A socket forgets them with each client, and cannot be
/// given them again while QEMU's main loop hangs.</para>
/// </summary>
public static class QmpExchange
{
    private const int LineBytesMax = 1 << 20;

    /// <summary>Chooses out-of-band commands, unless that has been done. Needs QEMU's main loop the first time.</summary>
    /// <exception cref="QmpException">See its kinds.</exception>
    public static async Task PrepareAsync(Stream stream, TimeProvider clock, CancellationToken stopping)
    {
        try
        {
            await ExecuteAsync(stream, QmpCommands.QueryYank, clock, stopping);
        }
        catch (QmpCommandException)
        {
            // Before the choice every other command is refused, out-of-band or not.
            await ExecuteAsync(stream, QmpCommands.NegotiateCapabilities(outOfBand: true), clock, stopping);
        }
    }

    /// <exception cref="QmpException">See its kinds for what each one tells.</exception>
    public static async Task<TReply> ExecuteAsync<TReply>(Stream stream, QmpCommand<TReply> command, TimeProvider clock, CancellationToken stopping)
    {
        var id = RandomNumberGenerator.GetInt32(1, int.MaxValue);
        using var timeout = new CancellationTokenSource(command.Bound, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, stopping);
        try
        {
            // The line end first closes what a dead writer may have left open.
            await stream.WriteAsync("\n"u8.ToArray(), either.Token);
            await stream.WriteAsync(QmpRequest.Encode(command, id), either.Token);
            return await ReadAnswerAsync(PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true)), command, id, either.Token);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            throw new QmpTimeoutException(command.Name, command.Bound, "on the rescue monitor");
        }
        catch (IOException error)
        {
            throw new QmpClosedException($"The rescue monitor broke during '{command.Name}'.", error);
        }
    }

    private static async Task<TReply> ReadAnswerAsync<TReply>(PipeReader reader, QmpCommand<TReply> command, long id, CancellationToken stopping)
    {
        while (true)
        {
            var read = await reader.ReadAsync(stopping);
            var buffer = read.Buffer;
            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                switch (TryParse(buffer.Slice(0, end)))
                {
                    case QmpMessage.Reply reply when reply.Id == id:
                        return command.Read(reply.Value);
                    case QmpMessage.Error error when error.Id == id:
                        throw new QmpCommandException(command.Name, error.ErrorClass, error.Description);
                }

                buffer = buffer.Slice(buffer.GetPosition(1, end));
            }

            if (read.IsCompleted)
            {
                throw new QmpClosedException($"The rescue monitor was closed during '{command.Name}'.");
            }

            // A line without end is not kept, only passed over.
            var isTooLong = buffer.Length > LineBytesMax;
            reader.AdvanceTo(isTooLong ? buffer.End : buffer.Start, buffer.End);
        }
    }

    private static QmpMessage? TryParse(ReadOnlySequence<byte> line)
    {
        try
        {
            return line.Length <= LineBytesMax ? QmpMessage.Parse(line.ToArray()) : null;
        }
        catch (QmpProtocolException)
        {
            return null;
        }
    }
}
