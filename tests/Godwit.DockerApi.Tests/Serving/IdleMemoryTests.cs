using Godwit.DockerApi.Serving;
using Microsoft.Extensions.Time.Testing;

namespace Godwit.DockerApi.Tests.Serving;

public sealed class IdleMemoryTests
{
    [Fact]
    public async Task Memory_is_given_back_at_the_start_and_once_each_time_that_nobody_has_asked_for_a_while()
    {
        var time = new FakeTimeProvider();
        using var stop = new CancellationTokenSource();
        using var looked = new SemaphoreSlim(0);
        long requests = 0;
        var releases = 0;
        var running = new IdleMemory(
            () =>
            {
                looked.Release();
                return requests;
            },
            () => releases++,
            time).RunAsync(stop.Token);

        async Task LookAsync()
        {
            time.Advance(IdleMemory.Quiet);
            Assert.True(await looked.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        }

        await looked.WaitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, releases);
        await LookAsync();
        await LookAsync();
        Assert.Equal(1, releases); // Nobody has asked since.
        requests = 5;
        await LookAsync();
        requests = 6;
        await LookAsync();
        await LookAsync();
        await LookAsync(); // When this look has begun, the one before has done what it would.
        Assert.Equal(2, releases);
        await stop.CancelAsync();
        await running;
    }
}
