// A sample app. It needs the Android SDK and Google's Maven, and is not built with the rest of this repository.
pluginManagement {
    repositories {
        google()
        mavenCentral()
        gradlePluginPortal()
    }
}

dependencyResolutionManagement {
    repositories {
        // The package itself: `mvn install` in the folder above puts it here.
        mavenLocal { content { includeGroup("org.facegate") } }
        google()
        mavenCentral()
    }
}

rootProject.name = "facegate-sample"
include(":app")
