using System.Collections.Concurrent;

namespace Godwit.Store.Sqlite;

/// <summary>A bounded number of reading connections, made when first needed. One that fails is thrown away, not given back.</summary>
internal sealed class ReaderPool(StoreFile file, int readersMax) : IAsyncDisposable
{
    private readonly SemaphoreSlim permits = new(readersMax);
    private readonly ConcurrentBag<LogReader> idle = [];
    private volatile bool closed;

    /// <exception cref="StoreUnavailableException">The file could not be read, or the store is closed.</exception>
    public async ValueTask<T> ReadAsync<T>(Func<LogReader, T> read, CancellationToken stopping)
    {
        await permits.WaitAsync(stopping);
        try
        {
            return closed ? throw StoreUnavailableException.ForClosed(file.FilePath) : Read(read);
        }
        finally
        {
            permits.Release();
        }
    }

    /// <summary>Waits for the readers at work, then closes all.</summary>
    public async ValueTask DisposeAsync()
    {
        closed = true;
        for (var i = 0; i < readersMax; i++)
        {
            await permits.WaitAsync();
        }

        while (idle.TryTake(out var reader))
        {
            reader.Dispose();
        }

        permits.Release(readersMax); // Who comes later finds it closed.
    }

    private T Read<T>(Func<LogReader, T> read)
    {
        LogReader? reader = null;
        try
        {
            reader = idle.TryTake(out var pooled) ? pooled : new LogReader(file.ConnectReader());
            var answer = read(reader);
            idle.Add(reader);
            return answer;
        }
        catch (Exception error) when (error is StoreCompactedException or StoreFutureRevisionException)
        {
            idle.Add(reader!); // An answer, not a failure.
            throw;
        }
        catch (Exception error)
        {
            reader?.Dispose();
            throw SqliteFaults.IsFault(error) ? SqliteFaults.Translate("read", file.FilePath, error) : error;
        }
    }
}
