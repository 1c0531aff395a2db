using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Godwit.Machines;
using Godwit.Node.Guests;

namespace Godwit.Node.Tests.Guests;

/// <summary>A host whose machines are objects; they outlive the agent that made them, as real ones do.</summary>
internal sealed class FakeMachineHost(string folder) : IMachineHost
{
    private int failedStarts;

    public ConcurrentDictionary<MachineId, FakeMachine> Machines { get; } = new();

    /// <summary>How often a machine was started, by its id, over all agents.</summary>
    public ConcurrentDictionary<MachineId, int> Starts { get; } = new();

    public int FailedStarts => failedStarts;

    /// <summary>When set, starting fails with it.</summary>
    public MachineException? Trouble { get; set; }

    public static MachineHostFacts Facts { get; } = new()
    {
        QemuVersion = new Version(10, 0, 2),
        Accelerator = Accelerator.Tcg,
        AcceleratorReason = "this is a test",
        MachineTypes = ["pc-i440fx-10.0", "pc-q35-9.2", "pc-q35-10.0"],
        CpuModels = ["qemu64", "max"],
    };

    public Task<MachineHostFacts> GetFactsAsync(CancellationToken stopping) => Task.FromResult(Facts);

    public Task<IReadOnlyList<IMachine>> AdoptAsync(CancellationToken stopping) => Task.FromResult<IReadOnlyList<IMachine>>([.. Machines.Values]);

    public Task<MachinePlace> ReserveAsync(MachineId id, CancellationToken stopping)
    {
        var place = new MachinePlace(id, Path.Combine(folder, id.ToString()), 0);
        Directory.CreateDirectory(place.Folder);
        return Task.FromResult(place);
    }

    public async Task<IMachine> CreateAsync(MachineSpec spec, MachineStart start, CancellationToken stopping)
    {
        if (Trouble is { } trouble)
        {
            Interlocked.Increment(ref failedStarts);
            throw trouble;
        }

        if (Machines.TryGetValue(spec.Id, out var existing))
        {
            return existing.ProcessId != 0 ? existing : throw new MachineException("It was started before and has ended.");
        }

        Starts.AddOrUpdate(spec.Id, 1, (_, count) => count + 1);
        return Machines[spec.Id] = new FakeMachine(spec, await ReserveAsync(spec.Id, stopping), start);
    }

    public Task<IMachine> RestoreAsync(MachineId id, CancellationToken stopping) => throw new NotSupportedException("The tests of guests restore none.");

    /// <summary>As a real host says it.</summary>
    public bool HasTraceOf(MachineId id) => Directory.Exists(Path.Combine(folder, id.ToString()));

    public Task RemoveAsync(MachineId id, CancellationToken stopping)
    {
        Machines.TryRemove(id, out _);
        if (HasTraceOf(id))
        {
            Directory.Delete(Path.Combine(folder, id.ToString()), recursive: true);
        }

        return Task.CompletedTask;
    }
}

internal sealed class FakeMachine(MachineSpec spec, MachinePlace place, MachineStart start) : IMachine
{
    private readonly List<Channel<MachineEvent>> listeners = [];
    private readonly Lock gate = new();

    public MachineSpec Spec => spec;

    public MachinePlace Place => place;

    public int ProcessId { get; private set; } = 4242;

    public MachineRunState RunState { get; private set; } = start == MachineStart.Boot ? MachineRunState.Created : MachineRunState.Incoming;

    public DateTimeOffset? StoppedAt => null;

    public string RunStateReason { get; private set; } = "as it was made";

    public int ResumeCount { get; private set; }

    public TimeSpan? StopGrace { get; private set; }

    /// <summary>False: the guest ignores the power button, and only force ends it.</summary>
    public bool HeedsPowerButton { get; set; } = true;

    public byte[] Log { get; set; } = "first\nsecond\n"u8.ToArray();

    public IMachineDiskCopies DiskCopies => throw new NotSupportedException("The tests of guests move none.");

    public IMachineMigration Migration => throw new NotSupportedException("The tests of guests move none.");

    /// <summary>What QEMU would say by itself.</summary>
    public void Become(MachineRunState state, string reason)
    {
        lock (gate)
        {
            RunState = state;
            RunStateReason = reason;
            ProcessId = state == MachineRunState.Gone ? 0 : ProcessId;
            foreach (var listener in listeners)
            {
                listener.Writer.TryWrite(new MachineEvent.RunStateChanged(TimeProvider.System.GetUtcNow(), state, reason));
            }
        }
    }

    public async IAsyncEnumerable<MachineEvent> ReadEventsAsync([EnumeratorCancellation] CancellationToken stopping)
    {
        var channel = Channel.CreateUnbounded<MachineEvent>();
        lock (gate)
        {
            listeners.Add(channel);
        }

        await foreach (var change in channel.Reader.ReadAllAsync(stopping))
        {
            yield return change;
        }
    }

    public Task ResumeAsync(CancellationToken stopping)
    {
        ResumeCount++;
        Become(MachineRunState.Running, "resumed");
        return Task.CompletedTask;
    }

    public Task PauseAsync(CancellationToken stopping)
    {
        Become(MachineRunState.Paused, "paused by order");
        return Task.CompletedTask;
    }

    public async Task StopAsync(TimeSpan grace, CancellationToken stopping)
    {
        StopGrace = grace;
        if (grace > TimeSpan.Zero && !HeedsPowerButton)
        {
            await new TaskCompletionSource().Task.WaitAsync(grace, TimeProvider.System, stopping).ContinueWith(_ => stopping.ThrowIfCancellationRequested(), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default); // The guest does not heed: the grace passes.
        }

        Become(MachineRunState.Gone, "stopped");
    }

    public Task RestartAsync(CancellationToken stopping) => Task.CompletedTask;

    public Task<MachineRunState> QueryRunStateAsync(CancellationToken stopping) => Task.FromResult(RunState);

    public Task<MachineUsage> GetUsageAsync(CancellationToken stopping) => Task.FromResult(new MachineUsage(TimeSpan.FromSeconds(1), 1 << 20, 1, 2));

    public Task<Stream> OpenConsoleAsync(CancellationToken stopping) => Task.FromResult<Stream>(new EchoStream());

    public Task<Stream> OpenLogAsync(int? tailLines, bool follow, CancellationToken stopping) =>
        Task.FromResult<Stream>(new MemoryStream(tailLines == 1 ? "second\n"u8.ToArray() : Log));

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>A console that says back what is typed.</summary>
    private sealed class EchoStream : Stream
    {
        private readonly System.IO.Pipelines.Pipe pipe = new();

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            pipe.Reader.AsStream().ReadAsync(buffer, cancellationToken);

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
            await pipe.Writer.WriteAsync(buffer, cancellationToken);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}

internal sealed class FakeNetwork : IGuestNetwork
{
    public ConcurrentDictionary<string, bool> Admitted { get; } = new();

    public Task<string> PlugAsync(GuestPort port, uint userId, CancellationToken stopping)
    {
        Admitted.TryAdd($"{port.Machine}/{port.Index}", false);
        return Task.FromResult($"tap{port.Index}");
    }

    public Task AdmitAsync(GuestPort port, CancellationToken stopping)
    {
        Admitted[$"{port.Machine}/{port.Index}"] = true;
        return Task.CompletedTask;
    }

    public Task SilenceAsync(GuestPort port, CancellationToken stopping)
    {
        Admitted[$"{port.Machine}/{port.Index}"] = false;
        return Task.CompletedTask;
    }

    public void Announce(GuestPort port)
    {
        // Nobody listens.
    }

    public IKeptFrames Keep(GuestPort port) => new NoFrames();

    public void Deliver(MachineId machine, int nic, IReadOnlyList<byte[]> frames)
    {
        // Nobody listens.
    }

    public Task UnplugAsync(MachineId machine, CancellationToken stopping)
    {
        foreach (var port in Admitted.Keys.Where(port => port.StartsWith(machine.ToString(), StringComparison.Ordinal)))
        {
            Admitted.TryRemove(port, out _);
        }

        return Task.CompletedTask;
    }

    public GuestTraffic? ReadTraffic(MachineId machine) => new(10, 20);

    public Task EnsureLeasesAsync(IReadOnlyList<GuestPort> ports, CancellationToken stopping) => Task.CompletedTask;

    private sealed class NoFrames : IKeptFrames
    {
        public void Stopped(DateTimeOffset at)
        {
            // Nothing is sent.
        }

        public void Resumed()
        {
            // Nothing was kept.
        }

        public IReadOnlyList<byte[]> Take() => [];

        public void Dispose()
        {
            // Nothing is held.
        }
    }
}

internal sealed class FakeHandovers : IHandoverRecords
{
    private readonly List<Action<MachineId>> listeners = [];

    public ConcurrentDictionary<MachineId, HandoverClaim> Claims { get; } = new();

    public ConcurrentQueue<MachineId> EndRequests { get; } = new();

    public void Set(MachineId id, HandoverClaim claim)
    {
        Claims[id] = claim;
        listeners.ForEach(listener => listener(id));
    }

    public HandoverClaim ClaimOn(MachineId id) => Claims.GetValueOrDefault(id);

    public bool IsRefused(MachineId id) => false;

    public void RequestEnd(MachineId id, string reason) => EndRequests.Enqueue(id);

    public void Subscribe(Action<MachineId> claimChanged) => listeners.Add(claimChanged);
}
