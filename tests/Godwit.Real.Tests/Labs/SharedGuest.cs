namespace Godwit.Real.Tests.Labs;

/// <summary>One guest for all cases of a class: a guest that is whole after one is good for the next.</summary>
public sealed class SharedGuest(GodwitLab lab) : IAsyncLifetime
{
    private TinyGuest? guest;
    private int number;

    public GodwitLab Lab => lab;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync() => await DiscardAsync();

    /// <summary>The guest, made if there is none; not shared again until it is given back whole.</summary>
    internal async Task<TinyGuest> TakeAsync(string settings)
    {
        var taken = guest ?? await TinyGuest.StartAsync(lab, $"hurt-{Interlocked.Increment(ref number)}-{settings.GetHashCode(StringComparison.Ordinal) & 0xfff:x}", settings);
        guest = null;
        return taken;
    }

    internal void GiveBack(TinyGuest whole) => guest = whole;

    private async Task DiscardAsync()
    {
        if (guest is not null)
        {
            await guest.DisposeAsync();
            guest = null;
        }
    }
}
