namespace Godwit.Real.Tests.Labs;

/// <summary>One guest for all cases of a class: a guest that is whole after one is good for the next.</summary>
public sealed class SharedGuest(GodwitLab lab) : IAsyncLifetime
{
    private static int lastNumber;
    private TinyGuest? guest;
    private bool isWhole;

    public GodwitLab Lab => lab;

    public ValueTask InitializeAsync() => default;

    public async ValueTask DisposeAsync() => await DiscardAsync();

    /// <summary>The guest; a new one if there is none, or if the last case did not give it back whole.</summary>
    internal async Task<TinyGuest> TakeAsync(string settings, string? volume = null)
    {
        await lab.MendAsync();
        if (!isWhole)
        {
            await DiscardAsync();
        }

        isWhole = false;
        return guest ??= await TinyGuest.StartAsync(lab, $"hurt-{Interlocked.Increment(ref lastNumber)}", settings, volume: volume);
    }

    internal void GiveBack(TinyGuest whole) => isWhole = ReferenceEquals(whole, guest);

    private async Task DiscardAsync()
    {
        if (guest is { } made)
        {
            guest = null;
            await made.DisposeAsync();
        }
    }
}
