namespace Godwit.Images.Content;

/// <summary>
/// Lets blocking code read or write a stream that only knows asynchronous calls, such as an HTTP body: the code has a thread
/// of its own, and a ring of buffers lies between.
/// </summary>
internal static class BlockingStreams
{
    public static async Task ReadAsync(Stream source, Action<Stream, CancellationToken> read, CancellationToken stopping)
    {
        var ring = new BufferRing();
        using var halt = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var filling = ring.FillAsync(source, halt.Token);
        try
        {
            await Task.Factory.StartNew(() => read(ring.Reader, halt.Token), halt.Token, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        }
        catch (IOException failed) when (failed.InnerException is OperationCanceledException && stopping.IsCancellationRequested)
        {
            throw new OperationCanceledException("Reading was stopped.", failed, stopping);
        }
        finally
        {
            await halt.CancelAsync(); // A source that still has something to say is not listened to.
            await filling;
        }
    }

    public static async Task WriteAsync(Stream output, Action<Stream, CancellationToken> write, CancellationToken stopping)
    {
        var ring = new BufferRing();
        using var halt = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var writing = Task.Factory.StartNew(() => Write(ring, write, halt.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            await ring.DrainAsync(output, stopping);
        }
        catch (IOException failed) when (failed.InnerException is ImageException reason)
        {
            throw new ImageException(reason.Kind, reason.Message, failed);
        }
        finally
        {
            await halt.CancelAsync();
            await writing;
        }
    }

    private static void Write(BufferRing ring, Action<Stream, CancellationToken> write, CancellationToken stopping)
    {
        try
        {
            using var writer = ring.Writer;
            write(writer, stopping);
            writer.Flush();
            ring.Finish(null);
        }
        catch (Exception reason)
        {
            ring.Finish(reason);
        }
    }
}
