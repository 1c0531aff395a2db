namespace Godwit.Simulation;

/// <summary>
/// Carries out one agent's effects on its QEMU, one after the other, as the real driver does. When the agent dies, the
/// one under way has been sent already: QEMU may still obey it, before it answers anybody new.
/// </summary>
internal sealed class MachineWorker<TEffect>(World world, Func<TEffect, string?> execute, Func<TEffect, bool> hangs)
    where TEffect : class
{
    private readonly Queue<TEffect> waiting = new();
    private TEffect? current;
    private int epoch;

    public int DoneCount { get; private set; }

    public bool Idle => current is null && waiting.Count == 0;

    /// <summary>Those that take longer than a command to a monitor.</summary>
    public Func<TEffect, bool> IsSlow { get; init; } = _ => false;

    /// <summary>How long those may take.</summary>
    public double SlowMsMax { get; init; } = 400;

    /// <summary>Told after each effect: the effect and QEMU's error, if it answered with one.</summary>
    public required Action<TEffect, string?> Done { get; init; }

    public void Add(TEffect effect)
    {
        waiting.Enqueue(effect);
        Next();
    }

    public void Crash()
    {
        epoch++;
        waiting.Clear();
        DoneCount = 0;
        if (current is { } sent && world.Chance(0.5) && !hangs(sent))
        {
            execute(sent);
        }

        current = null;
    }

    private void Next()
    {
        if (current is not null || !waiting.TryDequeue(out var effect))
        {
            return;
        }

        current = effect;
        var started = epoch;
        world.After(IsSlow(effect) ? world.Between(1, SlowMsMax) : world.Between(0.2, 4), () =>
        {
            if (started != epoch)
            {
                return;
            }

            if (hangs(effect))
            {
                // The bound on one conversation passes without an answer: nobody knows whether it was obeyed.
                world.After(TimeSpan.FromMilliseconds(300), () => End(started, effect, null));
                return;
            }

            var error = execute(effect);
            world.Log("qemu", () => $"{effect.GetType().Name}{(error is null ? "" : $" refused: {error}")}");
            End(started, effect, error);
        });
    }

    private void End(int started, TEffect effect, string? error)
    {
        if (started != epoch)
        {
            return;
        }

        DoneCount++;
        current = null;
        Done(effect, error);
        Next();
    }
}
