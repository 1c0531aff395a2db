using Godwit.Images.Layers;
using Godwit.Linux;
using Godwit.Linux.Files;
using Godwit.Linux.Processes;
using Microsoft.Extensions.Logging.Abstractions;

namespace Godwit.Containers.Tests;

public sealed class OpeningTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("godwit-engine-").FullName;

    [Fact]
    public async Task An_engine_that_cannot_be_opened_leaves_its_folder_to_whoever_tries_again()
    {
        var options = new EngineOptions { DataFolder = Path.Combine(folder, "data"), RunFolder = Path.Combine(folder, "run") };
        var roots = new NoRoots(Path.Combine(folder, "missing"));
        for (var attempt = 0; attempt < 2; attempt++)
        {
            // Not: another engine uses it.
            await Assert.ThrowsAsync<LinuxException>(() => ContainerEngine.OpenAsync(options, roots, TimeProvider.System, NullLogger.Instance, TestContext.Current.CancellationToken));
        }

        using var held = FileLock.TryAcquire(Path.Combine(options.DataFolder, "lock"));
        Assert.NotNull(held);
        await Assert.ThrowsAsync<InvalidOperationException>(() => ContainerEngine.OpenAsync(options, roots, TimeProvider.System, NullLogger.Instance, TestContext.Current.CancellationToken));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);

    /// <summary>Their folder is not there, so nothing below it can be shared.</summary>
    private sealed class NoRoots(string folder) : IRootFileSystems
    {
        public string Folder => folder;

        public Task CreateAsync(ContainerId id, string imageId, long? sizeBytesMax, CancellationToken stopping) => throw new NotSupportedException();

        public Task<string> MountAsync(ContainerId id, UserNamespace? seenBy, CancellationToken stopping) => throw new NotSupportedException();

        public Task UnmountAsync(ContainerId id, CancellationToken stopping) => throw new NotSupportedException();

        public Task RemoveAsync(ContainerId id, CancellationToken stopping) => throw new NotSupportedException();

        public Task<IReadOnlyList<FileChange>> ListChangesAsync(ContainerId id, CancellationToken stopping) => throw new NotSupportedException();

        public Task<long> MeasureAsync(ContainerId id, CancellationToken stopping) => throw new NotSupportedException();

        public Task<string> CommitAsync(ContainerSnapshot container, CommitRequest request, CancellationToken stopping) => throw new NotSupportedException();
    }
}
