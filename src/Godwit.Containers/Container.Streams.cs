using System.Globalization;
using System.Text;
using Godwit.Containers.Logs;
using Godwit.Linux.Files;

namespace Godwit.Containers;

/// <summary>What a container prints and reads.</summary>
internal sealed partial class Container
{
    private const long LogRoomBytes = 64 << 10;

    /// <summary>At the last look its first process was at its end.</summary>
    private bool wasLeaving;

    /// <summary>Attaches now; what is printed from here on will be seen, whenever it is read.</summary>
    internal async Task<IProcessSession> AttachAsync(AttachOptions options, CancellationToken stopping)
    {
        AttachSession? session = null;
        await InTurnAsync(
            async () =>
            {
                if (record.State is ContainerState.Paused && options.StandardInput)
                {
                    throw new ConflictException($"cannot attach to container {Name}: it is paused. Unpause it before");
                }

                var files = new LogFiles(Folder.Log);
                var wanted = (options.StandardOutput || options.StandardError) && (options.Stream || options.Logs);
                var start = !wanted ? null : options.Logs ? files.OpenStart(tail: null) : files.OpenEnd();
                session = new AttachSession(this, options, start, WaitAsync(WaitCondition.NextExit, CancellationToken.None));
                Sessions.Add(session);
                if (record.State.IsAlive && options.StandardInput && record.Spec.Process.OpenStandardInput)
                {
                    await session.ConnectAsync(Folder, stopping);
                }
            },
            stopping);
        Tell("attach");
        return session!;
    }

    internal IAsyncEnumerable<OutputChunk> ReadLogAsync(LogQuery query, CancellationToken stopping)
    {
        if (!record.Spec.Log.Kept)
        {
            throw new InvalidRequestException($"container {Name} keeps no log: its log driver is '{record.Spec.Log.Driver}'");
        }

        var files = new LogFiles(Folder.Log);
        // Its next end, asked for before its state: an end between the two is seen by the one or the other.
        Task ended = WaitAsync(WaitCondition.NextExit, CancellationToken.None);
        return LogReader.ReadAsync(files, files.OpenStart(query.Tail), query, query.Follow && record.State.IsAlive ? ended : null, stopping);
    }

    internal void Resize(TerminalSize size)
    {
        RequireAlive("resize its terminal");
        Resize(Folder.Monitor, size);
    }

    /// <summary>conmon's control pipe: kind 1 is a new size, kind 2 to open the log anew.</summary>
    internal static void Resize(MonitorFolder folder, TerminalSize size) => Control(folder, $"1 {Number(size.Rows)} {Number(size.Columns)}\n");

    /// <summary>What has to be done now and then: the log put aside when it has grown beyond its bound, room for its next words, the record on a disk that was full.</summary>
    internal async Task KeepAsync(CancellationToken stopping)
    {
        if (record.State.IsAlive && FileIdentity.Find(Folder.Log) is { } log)
        {
            if (log.SizeBytes > record.Spec.Log.SizeBytesMax)
            {
                await InTurnAsync(BoundLogAsync, stopping);
            }
            else if (FileIdentity.FindAllocatedBytes(Folder.Log) - log.SizeBytes < LogRoomBytes / 2)
            {
                ReserveLogRoom();
            }
        }

        FreeLastProcesses();
        await Executions.Spare.EndIdleAsync(stopping);
        if (IsUnsaved)
        {
            await SaveAgainAsync(stopping);
        }
    }

    /// <summary>
    /// A container ends when all in it have ended and been waited for. One that was executed is waited for by its monitor, and that may be waiting for a client that does not
    /// read: so the container would neither run nor end. Whoever reads has until the second look to do so.
    /// </summary>
    private void FreeLastProcesses()
    {
        var isLeaving = record.State is ContainerState.Alive alive && alive.Now.Process.IsExiting;
        if (isLeaving && wasLeaving)
        {
            Executions.LetGo();
        }

        wasLeaving = isLeaving;
    }

    /// <summary>
    /// On a full disk the monitor drops what it cannot write. So each log has room set aside: the last words of a container that ends because nothing can be
    /// written any more are read by people just then.
    /// </summary>
    internal void ReserveLogRoom() => FileRoom.TryReserve(Folder.Log, LogRoomBytes);

    private Task BoundLogAsync()
    {
        if (record.State.IsAlive)
        {
            new LogFiles(Folder.Log).PutAside(Math.Max(1, record.Spec.Log.FilesMax));
            Control(Folder.Monitor, "2 0 0\n");
        }

        return Task.CompletedTask;
    }

    private static void Control(MonitorFolder folder, string line)
    {
        using var pipe = NamedPipe.Open(folder.Control);
        pipe.Write(Encoding.ASCII.GetBytes(line));
    }

    private static string Number(ushort value) => value.ToString(CultureInfo.InvariantCulture);
}
