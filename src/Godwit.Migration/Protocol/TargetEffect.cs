namespace Godwit.Migration.Protocol;

/// <summary>What the target's engine wants done; effects on QEMU as with <see cref="SourceEffect"/>.</summary>
public abstract record TargetEffect
{
    private TargetEffect()
    {
    }

    /// <summary>Answered by <see cref="TargetInput.Persisted"/> when it is on disk.</summary>
    public sealed record Persist(TargetRecord Record) : TargetEffect;

    public sealed record Send(Report Report) : TargetEffect;

    public abstract record Machine : TargetEffect;

    /// <summary>A QEMU that listens, its guest paused whatever arrives, its network port silent.</summary>
    public sealed record StartMachine : Machine;

    /// <summary>Open the network port, run, announce. The only effect that lets the guest run here.</summary>
    public sealed record RunGuest : Machine;

    /// <summary>Shut the sockets of a post-copy stream, broken or not, so that QEMU notices and pauses it: then it can listen again.</summary>
    public sealed record CutStream : Machine;

    public sealed record ListenAgain(int Attempt) : Machine;

    /// <summary>Kill QEMU and see it dead; remove what was made for it.</summary>
    public sealed record Fence : Machine;
}

/// <summary>What the target's engine is told.</summary>
public abstract record TargetInput
{
    private TargetInput()
    {
    }

    public sealed record Ordered(Order Order) : TargetInput;

    public sealed record Persisted(TargetRecord Record) : TargetInput;

    public sealed record PersistFailed(TargetRecord Record, string Reason) : TargetInput;

    public sealed record Observed(QemuReading Reading) : TargetInput;

    /// <summary>
    /// QEMU answered an effect with an error, so it did not do it; a reading follows. An effect whose outcome is unknown
    /// (the monitor hung) is not this: then only the reading tells.
    /// </summary>
    public sealed record MachineFailed(TargetEffect.Machine Effect, string Reason) : TargetInput;

    /// <summary>QEMU listens for the recovered stream: <see cref="TargetEffect.ListenAgain"/> was carried out.</summary>
    public sealed record Listening(int Attempt) : TargetInput;

    public sealed record Tick : TargetInput;

    /// <summary>An operator, or a fencing device, vouches that the source host is dead and stays so.</summary>
    public sealed record SourceDeclaredDead(string Reason) : TargetInput;
}
