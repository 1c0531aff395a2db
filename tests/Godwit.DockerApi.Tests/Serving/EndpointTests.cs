using Godwit.Containers;
using Godwit.DockerApi.Serving;
using Godwit.Images;

namespace Godwit.DockerApi.Tests.Serving;

public sealed class EndpointTests
{
    private static readonly EndpointTable Table = new(
    [
        new Endpoint("GET", "images/json", _ => Task.CompletedTask),
        new Endpoint("GET", "images/{name*}/json", _ => Task.CompletedTask),
        new Endpoint("DELETE", "images/{name*}", _ => Task.CompletedTask),
        new Endpoint("GET", "containers/{id}/json", _ => Task.CompletedTask),
    ]);

    [Theory]
    [InlineData("GET", "/images/json", "images/json", "")]
    [InlineData("GET", "/images/busybox/json", "images/{name*}/json", "busybox")]
    [InlineData("GET", "/images/localhost:5000/team/app:1/json", "images/{name*}/json", "localhost:5000/team/app:1")]
    [InlineData("DELETE", "/images/a/b", "images/{name*}", "a/b")]
    [InlineData("GET", "/containers/web/json", "containers/{id}/json", "web")]
    public void A_request_finds_its_endpoint_and_the_name_in_its_path(string method, string path, string expected, string name)
    {
        var (endpoint, found) = Table.Find(method, path);
        Assert.Equal((expected, name), (endpoint.Path, found));
    }

    [Theory]
    [InlineData("GET", "/containers/a/b/json", 404)]
    [InlineData("GET", "/nothing", 404)]
    [InlineData("PUT", "/images/json", 405)]
    public void What_is_not_served_is_refused_by_its_name(string method, string path, int status)
    {
        var refusal = Assert.Throws<DockerException>(() => Table.Find(method, path));
        Assert.Equal(status, refusal.Status);
        Assert.Contains(path, refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1.24/info", "1.24", "/info")]
    [InlineData("/v1.48/containers/json", "1.48", "/containers/json")]
    [InlineData("/info", "1.48", "/info")]
    [InlineData("/volumes/v1.30", "1.48", "/volumes/v1.30")]
    public void The_version_is_taken_off_the_front_of_the_path(string path, string version, string rest)
    {
        var (found, left) = ApiVersion.Split(path);
        Assert.Equal((version, rest), (found.ToString(), left));
    }

    [Theory]
    [InlineData("/v1.23/info", "too old")]
    [InlineData("/v1.49/info", "too new")]
    [InlineData("/v2.0/info", "too new")]
    public void A_version_that_is_not_spoken_is_refused_with_the_one_that_is(string path, string words) =>
        Assert.Contains(words, Assert.Throws<DockerException>(() => ApiVersion.Split(path)).Message, StringComparison.Ordinal);

    [Fact]
    public void Errors_have_the_status_and_the_words_that_clients_match_on()
    {
        Assert.Equal((404, "No such container: x"), DockerErrors.Describe(new NotThereException("No such container: x")));
        Assert.Equal((409, "taken"), DockerErrors.Describe(new ConflictException("taken")));
        Assert.Equal((304, null), DockerErrors.Describe(new NothingToDoException("it runs")));
        Assert.Equal((404, "No such image: x:latest"), DockerErrors.Describe(new ImageException(ImageErrorKind.NotFound, "No such image: x:latest")));
        Assert.Equal((400, "cannot start: executable file not found in $PATH"), DockerErrors.Describe(new ContainerStartException(127, "cannot start")));
        Assert.Equal((400, "cannot start: permission denied"), DockerErrors.Describe(new ContainerStartException(126, "cannot start")));
        Assert.Equal((500, "cannot start"), DockerErrors.Describe(new ContainerStartException(125, "cannot start")));
    }
}
