using System.Net.Sockets;
using Godwit.Machines;

namespace Godwit.Real.Tests.Machines;

/// <summary>Two hosts' worth of machines, a guest on the first and its place on the second, and a wire between them that can be cut.</summary>
internal sealed class MachineMove : IAsyncDisposable
{
    private readonly MachineLab sourceLab;
    private readonly MachineLab targetLab;
    private readonly List<Wire> wires = [];
    private int started;

    private MachineMove(MachineLab sourceLab, MachineLab targetLab, IMachine source, IMachine target)
    {
        this.sourceLab = sourceLab;
        this.targetLab = targetLab;
        Source = source;
        Target = target;
    }

    public IMachine Source { get; }

    public IMachine Target { get; private set; }

    private static CancellationToken Stopping => TestContext.Current.CancellationToken;

    /// <summary>A guest with memory that it can check and a writer, running at the source; the target waits.</summary>
    public static async Task<MachineMove> PrepareAsync(
        MigrationSettings settings,
        string kernelArguments = "tiny.ballast=32M tiny.set=16M tiny.rate=5M",
        Func<MachineHostOptions, MachineHostOptions>? adjust = null,
        IReadOnlyList<MachineDisk>? sharedDisks = null)
    {
        var here = await MachineLab.CreateAsync(adjust);
        var there = await MachineLab.CreateAsync(adjust);
        var spec = here.Spec(kernelArguments, memoryBytes: 256 << 20) with { Disks = sharedDisks ?? [] };
        var source = await here.BootAsync(spec);
        var target = await there.Host.CreateAsync(spec, MachineStart.Incoming, Stopping);
        Assert.Equal(MachineRunState.Incoming, target.RunState);
        await source.Migration.ConfigureAsync(settings, Stopping);
        await target.Migration.ConfigureAsync(settings, Stopping);
        return new MachineMove(here, there, source, target);
    }

    /// <summary>Starts the stream over a new wire, which the caller may freeze or cut.</summary>
    public async Task<Wire> StartAsync()
    {
        var wire = await ConnectAsync($"main-{started++}", listen: uri => Target.Migration.StartIncomingAsync(uri, Stopping));
        await Source.Migration.StartOutgoingAsync($"unix:{wire.Path}", Stopping);
        return wire;
    }

    /// <summary>Another wire for a stream that was paused.</summary>
    public async Task<Wire> RecoverAsync()
    {
        var wire = await ConnectAsync($"again-{wires.Count}", listen: uri => Target.Migration.RecoverAsync(uri, outgoing: false, Stopping));
        await Source.Migration.RecoverAsync($"unix:{wire.Path}", outgoing: true, Stopping);
        return wire;
    }

    /// <summary>After the one before was ended. From then on <see cref="Target"/> is the new one.</summary>
    public async Task PrepareAnotherTargetAsync(MigrationSettings settings)
    {
        await targetLab.Host.RemoveAsync(Target.Spec.Id, Stopping);
        Target = await targetLab.Host.CreateAsync(Source.Spec, MachineStart.Incoming, Stopping);
        await Source.Migration.ConfigureAsync(settings, Stopping);
        await Target.Migration.ConfigureAsync(settings, Stopping);
    }

    public Task<IReadOnlyList<IMachine>> RestartSourceAgentAsync() => sourceLab.RestartAgentAsync();

    /// <summary>From then on <see cref="Target"/> is the one that was adopted.</summary>
    public async Task RestartTargetAgentAsync() => Target = Assert.Single(await targetLab.RestartAgentAsync());

    public async ValueTask DisposeAsync()
    {
        foreach (var wire in wires)
        {
            await wire.DisposeAsync();
        }

        await sourceLab.DisposeAsync();
        await targetLab.DisposeAsync();
    }

    private async Task<Wire> ConnectAsync(string name, Func<string, Task> listen)
    {
        var targetSocket = Target.Place.MigrationSocket(name);
        await listen($"unix:{targetSocket}");
        var wire = new Wire(Source.Place.MigrationSocket("out-" + name), targetSocket);
        System.Diagnostics.Process.Start("/bin/chown", [Source.Place.UserId.ToString(System.Globalization.CultureInfo.InvariantCulture), wire.Path]).WaitForExit();
        wires.Add(wire);
        return wire;
    }

    /// <summary>Carries every connection that the source makes to the target's socket, as the agents do.</summary>
    internal sealed class Wire : IAsyncDisposable
    {
        private readonly Socket listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        private readonly string targetPath;
        private readonly CancellationTokenSource lifetime = new();
        private readonly List<Socket> sockets = [];
        private readonly Task accepting;
        private volatile TaskCompletionSource thawed = Thawed();
        private volatile TaskCompletionSource answersThawed = Thawed();

        public Wire(string path, string targetPath)
        {
            Path = path;
            this.targetPath = targetPath;
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen();
            accepting = Task.Run(AcceptAsync);
        }

        public string Path { get; }

        /// <summary>A dead link: nothing is lost and nothing gets through, and nobody is told.</summary>
        public void Freeze() => thawed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>As <see cref="Freeze"/>, for what the target says to the source alone.</summary>
        public void FreezeAnswers() => answersThawed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Cut()
        {
            lock (sockets)
            {
                sockets.ForEach(socket => socket.Dispose());
            }
        }

        public async ValueTask DisposeAsync()
        {
            await lifetime.CancelAsync();
            listener.Dispose();
            Cut();
            await accepting;
        }

        private static TaskCompletionSource Thawed()
        {
            var source = new TaskCompletionSource();
            source.SetResult();
            return source;
        }

        private async Task AcceptAsync()
        {
            var copies = new List<Task>();
            try
            {
                while (true)
                {
                    var incoming = await listener.AcceptAsync(lifetime.Token);
                    var outgoing = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await outgoing.ConnectAsync(new UnixDomainSocketEndPoint(targetPath), lifetime.Token);
                    lock (sockets)
                    {
                        sockets.AddRange([incoming, outgoing]);
                    }

                    copies.Add(CopyAsync(incoming, outgoing, isAnswer: false));
                    copies.Add(CopyAsync(outgoing, incoming, isAnswer: true));
                }
            }
            catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                await Task.WhenAll(copies);
            }
        }

        private async Task ThawAsync(bool isAnswer)
        {
            await thawed.Task.WaitAsync(lifetime.Token);
            if (isAnswer)
            {
                await answersThawed.Task.WaitAsync(lifetime.Token);
            }
        }

        private async Task CopyAsync(Socket from, Socket to, bool isAnswer)
        {
            var buffer = new byte[64 << 10];
            try
            {
                int read;
                while ((read = await from.ReceiveAsync(buffer, lifetime.Token)) > 0)
                {
                    await ThawAsync(isAnswer);
                    for (var sent = 0; sent < read;)
                    {
                        sent += await to.SendAsync(buffer.AsMemory(sent, read - sent), lifetime.Token);
                    }
                }

                await ThawAsync(isAnswer);
                to.Shutdown(SocketShutdown.Send);
            }
            catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                from.Dispose();
                to.Dispose();
            }
        }
    }
}
