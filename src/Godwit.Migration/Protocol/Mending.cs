namespace Godwit.Migration.Protocol;

/// <summary>
/// How far this end has come with mending a post-copy stream. A guest that waits for a page may hold QEMU's main loop
/// up, so that nothing can be read of it before the stream is mended: then both steps, which QEMU takes out-of-band,
/// are ordered unseen, and again with each repetition of the source's order.
/// </summary>
internal readonly record struct Mending(int WantedAttempt, int ListeningAttempt, StreamStatus Stream)
{
    public bool IsDue => WantedAttempt > ListeningAttempt;

    public Mending Saw(QemuReading reading) => this with { Stream = reading.Stream };

    public Mending Listens(int attempt) => this with { ListeningAttempt = Math.Max(ListeningAttempt, attempt) };

    public Mending Wants(int attempt) => this with { WantedAttempt = Math.Max(WantedAttempt, attempt) };

    /// <summary>What the order to recover asks for now.</summary>
    public TargetEffect[] Steps => (IsDue, Stream) switch
    {
        (false, _) => [],
        (_, StreamStatus.PostcopyPaused) => [new TargetEffect.ListenAgain(WantedAttempt)],
        (_, StreamStatus.None) => [new TargetEffect.CutStream(), new TargetEffect.ListenAgain(WantedAttempt)],
        _ => [new TargetEffect.CutStream()],
    };
}
