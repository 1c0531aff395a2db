namespace Godwit.Migration.Protocol;

/// <summary>
/// What the source wants of the target. An order stands until it is fulfilled and is repeated until then, so it may be
/// lost, come twice or come late: obeying it twice is obeying it once, and an order that no longer fits is answered
/// with the target's standing and nothing else.
/// </summary>
public abstract record Order
{
    private Order()
    {
    }

    /// <summary>Get ready: a paused QEMU that listens, its network port silent.</summary>
    public sealed record Prepare : Order;

    /// <summary>What is your standing? Changes nothing.</summary>
    public sealed record Ask : Order;

    /// <summary>
    /// The point of no return. Sent only when the source's QEMU can no longer run the guest by itself; obeyed once, when
    /// the guest's state has arrived. From its first sending on, only the target may run the guest.
    /// </summary>
    public sealed record Run : Order;

    /// <summary>Never run this guest: kill QEMU, then say so. Not obeyed any more once running was granted.</summary>
    public sealed record Abort(string Reason) : Order;

    /// <summary>Post-copy: stop the broken stream and listen again. Attempts only rise.</summary>
    public sealed record Recover(int Attempt) : Order;

    /// <summary>Post-copy: the source's part of the memory is gone for ever, so the guest is lost.</summary>
    public sealed record Bury(string Reason) : Order;
}

/// <summary>
/// How far the target has come. It only rises, so of two reports the higher is the newer, whatever order they come in;
/// the last two are ends and exclude each other and everything that lies between.
/// </summary>
public enum TargetStanding
{
    /// <summary>No such move here.</summary>
    Unknown = 0,

    Preparing,

    /// <summary>QEMU listens.</summary>
    Ready,

    /// <summary>The guest's state is loaded and it stands still, waiting for the order.</summary>
    Arrived,

    /// <summary>The guest runs here; in post-copy, a part of its memory is still at the source.</summary>
    Running,

    /// <summary>The guest runs here and all of it is here.</summary>
    Completed,

    /// <summary>It does not run here, never did and never will; its QEMU is dead. The proof that a source needs to resume.</summary>
    Refused,

    /// <summary>Running was granted and its QEMU is gone: it may have run, so nobody may run what the source still has.</summary>
    Lost,
}

/// <summary>The target's answer to every order, and its own word when it comes further. <paramref name="ListeningAttempt"/>: the last <see cref="Order.Recover"/> carried out.</summary>
public sealed record Report(TargetStanding Standing, int ListeningAttempt = 0, string Reason = "")
{
    /// <summary>The target's agent takes the stream in, whether its QEMU listens yet or not.</summary>
    public bool TakesStream { get; init; }
}

/// <summary>What the source writes to disk, and has on disk before it goes on.</summary>
public enum SourceRecord
{
    /// <summary>A target is being asked to prepare. Nothing can have happened to the guest.</summary>
    Outgoing,

    /// <summary>The guest may from now on be found paused for hand-over: then the target must be asked who runs it.</summary>
    HandingOver,
}

/// <summary>What the target writes to disk, and has on disk before it goes on.</summary>
public enum TargetRecord
{
    /// <summary>A QEMU may exist here for this move; it has never run the guest.</summary>
    Arriving,

    /// <summary>The guest may have run here. Written when it has arrived and was ordered to run, before it runs.</summary>
    RunGranted,

    /// <summary>It never ran here and never will.</summary>
    Refused,

    /// <summary>It runs here whole; the machine is like any other now.</summary>
    Finished,

    /// <summary>It was granted to run and is gone.</summary>
    Lost,
}
